"""The error tree. Each class owns its exit code; each error says what happened, the state now, and what to do next."""

from __future__ import annotations

from typing import Any

NOTHING_CHANGED = "nothing was changed"


class ProxyswitchError(Exception):
    """Base of everything that a user is told about.

    `what` is the sentence that says what happened, `state` how things are now, `next_step` what to do.
    """

    exit_code = 3
    state = "everything is as before"

    def __init__(self, what: str, *, state: str | None = None, next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.state = self.state if state is None else state
        self.next_step = next_step
        self.outcome: Any = None  # what the engine had done by then
        self.facts: dict[str, object] = {}  # the same for --json

    def lines(self) -> list[str]:
        """The message as a person reads it: what, then the state, then what to do."""
        rows = [self.what]
        if self.state:
            rows.append(f"state: {self.state}")
        if self.next_step:
            rows.append(f"next: {self.next_step}")
        return rows


class Unhealthy(ProxyswitchError):
    """Exit 1: a check found something: unhealthy, or a difference that was asked about."""

    exit_code = 1
    state = NOTHING_CHANGED


class UsageError(ProxyswitchError):
    """Exit 2: the words on the command line, the settings or the config cannot be used as they are."""

    exit_code = 2
    state = NOTHING_CHANGED


class SettingsError(UsageError):
    """Exit 2: `proxyswitch.toml` is wrong; the message names the path of the key."""


class ConfigError(UsageError):
    """Exit 2: a proxy's config cannot be read or understood. Lines and columns count from 1; columns are bytes.

    `reason` is what happened, without the place.
    """

    def __init__(self, what: str, *, path: str = "", line: int = 0, column: int = 0, next_step: str = "") -> None:
        place = f"{path}:{line}:{column}: " if line else (f"{path}: " if path else "")
        super().__init__(place + what, next_step=next_step)
        self.path, self.line, self.column, self.reason = path, line, column, what


class Failed(ProxyswitchError):
    """Exit 3: it failed, and everything is as it was before."""


class NeedsPerson(ProxyswitchError):
    """Exit 4: it failed, and a person must look; `state` says exactly what is where."""

    exit_code = 4
    state = "a person must look"


class NotDrained(ProxyswitchError):
    """Exit 5: traffic was switched, but the old side has not drained in time and was left running."""

    exit_code = 5
    state = "switched; the old side is left running"


class Busy(ProxyswitchError):
    """Exit 75: another run holds the lock."""

    exit_code = 75
    state = NOTHING_CHANGED


class Interrupted(ProxyswitchError):
    """Exit 128+n: signal number `signum` arrived; what had been begun was undone."""

    def __init__(self, signum: int, what: str) -> None:
        super().__init__(what)
        self.signum = signum
        self.exit_code = 128 + signum
