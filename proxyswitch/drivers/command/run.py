"""One command of the person's own, run to its end: what it is told, its time limit, and what it wrote.

Its output goes to a file, not to a pipe: what it starts and leaves behind keeps that open.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from proxyswitch.drivers._logs import tail
from proxyswitch.drivers._waiting import patiently
from proxyswitch.drivers._words import facts, fill, inherited
from proxyswitch.errors import UsageError
from proxyswitch.model import ProcessId, Slot
from proxyswitch.polling import Report, until
from proxyswitch.settings_base import Command as Line
from proxyswitch.settings_runners import Commands
from proxyswitch.system import files, proc, run, signals

LINES = 10
GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Words:
    """What the commands of one slot are: argv and environment, as values."""

    app: str
    pool: str
    settings: Commands
    slot: Slot

    def argv(self, key: str, version: str) -> tuple[str, ...]:
        """Raises UsageError for a version that a shell would not take as one word."""
        line: Line = getattr(self.settings, key)
        if isinstance(line, list):
            return tuple(fill(word, self.slot, version) for word in line)
        if "{version}" in line and shlex.quote(version) != version:
            what = f"the version {version!r} cannot be put into a shell command"
            raise UsageError(what, next_step=f"in apps.{self.app}.command.{key} use $APP_VERSION, or a list of words")
        return ("/bin/sh", "-c", fill(line, self.slot, version))

    def environment(self, key: str, version: str, old: str) -> dict[str, str]:
        """The facts of the app, and those that hooks have."""
        told = {
            "PROXYSWITCH_APP": self.app,
            "PROXYSWITCH_COMMAND": key,
            "PROXYSWITCH_POOL": self.pool,
            "PROXYSWITCH_SLOT": self.slot.name,
            "PROXYSWITCH_ADDRESS": str(self.slot.endpoint),
            "PROXYSWITCH_VERSION": version,
            "PROXYSWITCH_OLD_VERSION": old,
        }
        env = {name: fill(value, self.slot, version) for name, value in self.settings.env.items()}
        return inherited() | facts(self.app, self.slot, version) | told | env

    def fault(self, key: str) -> UsageError | None:
        """Why the program of a command could not be run; a shell finds its own."""
        line: Line | None = getattr(self.settings, key)
        if not isinstance(line, list) or "{version}" in line[0]:
            return None
        program = fill(line[0], self.slot, "")
        path = os.path.join(self.settings.cwd, program) if "/" in program else program
        if shutil.which(path, path=self.settings.env.get("PATH")):
            return None
        where = f"apps.{self.app}.command.{key}"
        if os.path.isfile(path):
            return UsageError(f"{where}: {path} may not be run", next_step=f"chmod +x {path}")
        step = f"a path counts from {self.settings.cwd}" if "/" in program else "write its whole path"
        return UsageError(f"{where}: there is no program {program}", next_step=step)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; `code` None when it was ended by us because its time was up."""

    code: int | None
    said: list[str]
    timeout: float

    @property
    def ok(self) -> bool:
        return self.code == 0

    def reason(self) -> str:
        why = f"did not end within {self.timeout:g} s" if self.code is None else run.ending(self.code)
        return why + "".join(f"\n  | {line}" for line in self.said)


def carry_out(what: run.Detached, timeout: float, begun: Callable[[ProcessId], None], report: Report, title: str) -> Ended:
    """Run it; `begun` hears of its process at once. Whatever stops us ends it, with all that is in its process group."""
    size = os.path.getsize(what.log) if os.path.exists(what.log) else 0
    child = run.spawn(what)
    try:
        begun(child)
        code = patiently(lambda: run.reap(child.pid), timeout, report, title)
    finally:
        if run.reap(child.pid) is None:
            end_group(child)
    return Ended(code, _since(what.log, size), timeout)


def _since(log: str, size: int) -> list[str]:
    """The last lines that were written from there on."""
    count = files.read_from(log, size).count(b"\n") + 1
    return [line for line in tail(Path(log), min(count, LINES)) if line]


def end_group(leader: ProcessId) -> None:
    """End a command that is no longer wanted, and its process group."""
    for signum in (signals.TERM, signals.KILL):
        signals.send_group(leader, signum)
        if until(lambda: None if _runs(leader) else True, GRACE):
            return


def _runs(leader: ProcessId) -> bool:
    run.reap(leader.pid)
    return proc.alive(leader)
