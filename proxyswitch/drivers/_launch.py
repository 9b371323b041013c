"""What a start needs: command, folder, user and environment, placeholders filled in, and what is wrong there."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from proxyswitch.drivers._words import facts, fill, inherited
from proxyswitch.errors import UsageError
from proxyswitch.model import Slot
from proxyswitch.settings_runners import Process
from proxyswitch.system import run, signals

MARKER = "PROXYSWITCH_INSTANCE"


@dataclass(frozen=True, slots=True)
class Launch:
    """A start of one slot. While the `version` is not known, texts that name it cannot be checked.

    `table` is where the person wrote the settings, for messages.
    """

    app: str
    settings: Process
    slot: Slot
    version: str | None = None
    table: str = "process"

    def build(self, marker: str, log: str) -> run.Detached:
        """All of it, as a value. Raises UsageError for a version that a shell would not take as one word."""
        return run.Detached(
            argv=self.argv(),
            env=self.environment(marker),
            log=log,
            cwd=self.cwd() or None,
            user=self.settings.user or None,
            umask=int(self.settings.umask, 8) if self.settings.umask else -1,
        )

    def fill(self, text: str) -> str:
        return fill(text, self.slot, self.version or "")

    def argv(self) -> tuple[str, ...]:
        command = self.settings.command
        if isinstance(command, list):
            return tuple(self.fill(word) for word in command)
        if "{version}" in command and self.version and shlex.quote(self.version) != self.version:
            raise UsageError(
                f"the version {self.version!r} cannot be put into a shell command",
                next_step=f"in apps.{self.app}.{self.table}.command use $APP_VERSION, or a list of words",
            )
        return ("/bin/sh", "-c", self.fill(command))

    def cwd(self) -> str:
        return os.path.abspath(self.fill(self.settings.cwd)) if self.settings.cwd else ""

    def environment(self, marker: str) -> dict[str, str]:
        env = inherited() | self._person() | facts(self.app, self.slot, self.version or "")
        env |= {key: self.fill(value) for key, value in self.settings.env.items()}
        return env | {MARKER: marker}

    def _person(self) -> dict[str, str]:
        """Who the app runs as, where that is another user than we are: our home is not for it."""
        if not self.settings.user:
            return {}
        entry = pwd.getpwnam(self.settings.user)
        if entry.pw_uid == os.geteuid():
            return {}
        return {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name}

    def faults(self) -> Iterator[UsageError]:
        """What would make a start fail, found without starting anything."""
        yield from self._signal_faults()
        yield from self._user_faults()
        folder = list(self._folder_faults())
        yield from folder or self._program_faults()

    def _signal_faults(self) -> Iterator[UsageError]:
        try:
            signals.number(self.settings.stop_signal)
        except UsageError as error:
            yield UsageError(f"apps.{self.app}.{self.table}.stop_signal: {error.what}")

    def _user_faults(self) -> Iterator[UsageError]:
        user = self.settings.user
        if not user:
            return
        try:
            uid = pwd.getpwnam(user).pw_uid
        except KeyError:
            yield UsageError(f"apps.{self.app}.{self.table}.user: there is no user {user!r} on this machine")
            return
        if os.geteuid() not in (0, uid):
            what = f"apps.{self.app}.{self.table}.user: only root can start a process as {user}"
            yield UsageError(what, next_step="run it with sudo, as that user, or remove the key")

    def _knows(self, text: str) -> bool:
        return self.version is not None or "{version}" not in text

    def _folder_faults(self) -> Iterator[UsageError]:
        folder = self.cwd()
        if folder and self._knows(self.settings.cwd) and not os.path.isdir(folder):
            yield UsageError(f"apps.{self.app}.{self.table}.cwd: there is no folder {folder}")

    def _program_faults(self) -> Iterator[UsageError]:
        program = self._program()
        if program and self._knows(program + self.settings.cwd) and not self._runnable(self.fill(program)):
            where = f"in {self.cwd() or os.getcwd()}" if "/" in program else "in PATH"
            yield UsageError(f"apps.{self.app}.{self.table}.command: there is no program {self.fill(program)} {where}")

    def _program(self) -> str:
        """The first word of the command; none where only a shell could say what it is."""
        command = self.settings.command
        if isinstance(command, list):
            return command[0]
        found = re.match(r"\s*(?:exec\s+)?([\w./+][\w./+{}-]*)(?=\s|$)", command)
        return found[1] if found else ""

    def _runnable(self, program: str) -> bool:
        path = self.fill(self.settings.env.get("PATH", os.environ.get("PATH", os.defpath)))
        if isinstance(self.settings.command, list):
            return shutil.which(os.path.join(self.cwd(), program) if "/" in program else program, path=path) is not None
        ask = ("/bin/sh", "-c", 'command -v "$1"', "sh", program)  # knows builtins and keywords too
        return run.run(run.Command(ask, timeout=10, cwd=self.cwd() or None, env={"PATH": path})).ok
