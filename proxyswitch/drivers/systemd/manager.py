"""systemd itself, or a user's own manager: its commands as values, the state of a unit from properties, and waits."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass

from proxyswitch.drivers._waiting import patiently
from proxyswitch.errors import Failed, UsageError
from proxyswitch.polling import Report, silent
from proxyswitch.system import run

SYSTEM, USER = "system", "user"
BOOTED = "/run/systemd/system"
DENIED = 4  # how systemctl ends when polkit says no
LIMIT = 60.0
PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "Result", "ReloadResult", "Job", "InvocationID", "NRestarts"),
    *("MainPID", "ExecMainCode", "ExecMainStatus", "Type", "CanReload", "RemainAfterExit", "UnitFileState"),
    *("NeedDaemonReload", "EnvironmentFiles", "TriggeredBy"),
)


@dataclass(frozen=True, slots=True)
class State:
    """A unit, as its properties say."""

    unit: str
    values: Mapping[str, str]

    def says(self, name: str) -> str:
        return self.values.get(name, "")

    @property
    def running(self) -> bool:
        """True from the begin of its start to the begin of its end; not while it waits to be started again."""
        state = self.says("ActiveState")
        return state in ("active", "reloading", "refreshing") or (state == "activating" and not self._between_two_tries)

    @property
    def _between_two_tries(self) -> bool:
        return self.says("SubState").startswith("auto-restart")

    @property
    def idle(self) -> bool:
        """True where nothing runs, and nothing will by itself."""
        return self.says("ActiveState") in ("inactive", "failed") and not self._has_job

    @property
    def settled(self) -> bool:
        """True when systemd has done what it was asked for, or has given up."""
        busy = ("activating", "deactivating", "reloading", "refreshing")
        return not self._has_job and (self.says("ActiveState") not in busy or self._between_two_tries)

    @property
    def _has_job(self) -> bool:
        return self.says("Job") not in ("", "0")

    @property
    def active(self) -> bool:
        return self.settled and self.says("ActiveState") == "active"

    @property
    def restarts(self) -> int:
        """How often systemd has started it again by itself."""
        return int(self.says("NRestarts") or 0)

    @property
    def invocation(self) -> str:
        """What tells this start of the unit from any other."""
        return self.says("InvocationID")

    @property
    def main_pid(self) -> int:
        return int(self.says("MainPID") or 0)

    def fate(self) -> str:
        """How it is, or how it ended, in words."""
        state = f"{self.says('ActiveState')} ({self.says('SubState')})"
        words = [state if self.says("Result") in ("", "success") else f"{state}, {self.says('Result')}"]
        status, code = int(self.says("ExecMainStatus") or 0), self.says("ExecMainCode")
        if not self.main_pid and code not in ("", "0"):
            words.append(f"its main process {run.ending(status if code == '1' else -status)}")
        if self.restarts:
            words.append(f"systemd has started it again {self.restarts} time{'s' * (self.restarts > 1)}")
        return ", ".join(words)


def read(unit: str, text: str) -> State:
    """What `systemctl show` printed. A property that stands there more than once has its values in lines."""
    values: dict[str, str] = {}
    for name, _, value in (line.partition("=") for line in text.splitlines()):
        values[name] = f"{values[name]}\n{value}" if name in values else value
    return State(unit, values)


def systemctl(scope: str, *words: str, env: Mapping[str, str] | None = None) -> run.Command:
    return run.Command(("systemctl", *_manager(scope), "--no-ask-password", *words), LIMIT, env=env)


def journalctl(scope: str, unit: str, lines: int, env: Mapping[str, str] | None = None) -> run.Command:
    words = ("--quiet", "--no-pager", "--output=cat", f"--lines={lines}", f"--unit={unit}")
    return run.Command(("journalctl", *_manager(scope), *words), LIMIT, env=env)


def _manager(scope: str) -> tuple[str, ...]:
    return ("--user",) if scope == USER else ()


@dataclass(frozen=True, slots=True)
class Manager:
    """Talks to systemd. Every method raises UsageError where there is none, or where we may not."""

    scope: str
    report: Report = silent

    def reach(self) -> dict[str, str] | None:
        """What its commands need in their environment; a job of cron or CI has not got it. Raises UsageError."""
        if not os.path.isdir(BOOTED):
            raise UsageError(
                f"systemd does not run here: there is no {BOOTED}",
                next_step="use a machine that boots with it (apt-get install systemd systemd-sysv), or another driver",
            )
        if self.scope == SYSTEM:
            return None
        folder = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
        if not os.path.isdir(f"{folder}/systemd"):
            name = user_name()
            raise UsageError(
                f"the systemd manager of user {name} does not run: there is no {folder}/systemd",
                next_step=f"sudo loginctl enable-linger {name}",
            )
        return {"XDG_RUNTIME_DIR": folder}

    def version(self) -> str:
        return self._ask("show", "--property=Version", "--value").out.strip()

    def show(self, unit: str) -> State:
        """The state of a unit; of one that is not there too."""
        return read(unit, self._ask("show", unit, f"--property={','.join(PROPERTIES)}").out)

    def act(self, verb: str, *words: str) -> None:
        """Ask for something; what it comes to is told by `settle`. Raises Failed with what systemd says."""
        self._ask(verb, *words)

    def forget_failure(self, unit: str) -> None:
        """Also the count of its starts: a limit on these is not for a person's own. No harm where that is not allowed."""
        run.run(systemctl(self.scope, "reset-failed", unit, env=self.reach()))

    def _ask(self, *words: str) -> run.Result:
        command = systemctl(self.scope, *words, env=self.reach())
        result = run.run(command)
        if result.ok:
            return result
        said = result.err.strip().partition("\n")[0] or result.reason()
        if result.code == DENIED or (self.scope == SYSTEM and os.geteuid() and words[0] != "show"):
            step = "run it with sudo, let a polkit rule allow it, or let the unit run in your own manager (scope)"
            raise UsageError(f"user {user_name()} may not do `{command}`: {said}", next_step=step)
        if words[0] == "show":
            raise UsageError(
                f"systemd does not answer `{command}`: {said}", next_step="is it running? try: systemctl status"
            )
        raise Failed(f"`{command}` failed: {said}", next_step=f"systemctl {' '.join(_manager(self.scope))} status".strip())

    def settle(self, unit: str, limit: float, what: str) -> State:
        """The unit when systemd is done with it, or as it is after `limit` seconds; every ten a line says so."""

        def look() -> State | None:
            state = self.show(unit)
            return state if state.settled else None

        return patiently(look, limit, self.report, f"{unit} {what}") or self.show(unit)

    def journal(self, unit: str, lines: int) -> list[str]:
        """The last lines of a unit, with those of systemd about it. What was written a moment ago is there too."""
        env = self.reach()
        run.run(run.Command(("journalctl", "--sync"), LIMIT))  # not allowed to everybody; then the very last may miss
        return run.run(journalctl(self.scope, unit, lines, env)).out.splitlines()[-lines:] if lines > 0 else []


def user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
