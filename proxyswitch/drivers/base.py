"""What a driver does: start, stop and describe the version that runs in a slot; or replace it in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from proxyswitch.model import Endpoint, Instance, Problem, Slot
from proxyswitch.polling import Report, silent
from proxyswitch.settings import App

# Called with all addresses where the app listens now, when these change: traffic is moved there before this returns.
Moved = Callable[[tuple[Endpoint, ...]], None]


def stays(_endpoints: tuple[Endpoint, ...]) -> None:
    """A `Moved` for an app whose address nobody has to be told."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a driver knows: the app's name and settings, and the folder where it keeps what it must remember.

    `report` is for a line to the user: in a long wait one every ten seconds, a warning, nothing else.
    """

    name: str
    app: App
    folder: Path
    report: Report = silent


class Driver(Protocol):
    """An app runner. Every method raises ProxyswitchError with a message for the user when it cannot do its work.

    A driver is made anew by each run of the program: what it must know later is with its runner, or in its folder.
    """

    def about(self) -> str:
        """The runner, its version and how it is reached, for `doctor`. Raises UsageError where it is absent or may not
        be talked to."""

    def problems(self) -> list[Problem]:
        """What `doctor` should say about this runner and these settings; also what is not zero-downtime."""

    def check(self, slot: Slot) -> None:
        """Raise unless a version could be started in that slot now (the place is free, the program is there)."""

    def start(self, slot: Slot, version: str, artefact: str = "") -> Instance:
        """Start that version in the slot; it need not be ready yet.

        `artefact` is what an Instance of that version had: exactly that is started. Without it, what the version's name
        means now.
        """

    def stop(self, slot: Slot) -> bool:
        """Stop what runs in the slot, in grace first. True when something was stopped, False when nothing ran."""

    def status(self, slot: Slot) -> Instance | None:
        """What runs in the slot; None when nothing does."""

    def logs(self, slot: Slot, lines: int) -> Iterator[str]:
        """The last lines that the instance wrote."""

    def obituary(self, slot: Slot) -> str:
        """Why the instance is gone, as far as it can be known: its exit status, and its last words."""


@runtime_checkable
class Maker(Protocol):
    """A driver that makes something for each version, and so has to clear it away when nobody goes back to it any more."""

    def forget(self, version: str, artefact: str) -> str:
        """End what was made of that version. Returns in words what was done; empty for nothing. Raises ProxyswitchError."""


class InPlace(Driver, Protocol):
    """A runner that replaces a running version itself. `start` and `stop` are for the first release, and for a person.

    The order of a release: `check_reload`, `reload`; then the new version is looked at from outside and watched; then
    `confirm` or, when something was wrong or the run was killed, `revert`.
    """

    def check_reload(self, slot: Slot, version: str) -> None:
        """Raise unless the running version could be replaced now, without a gap, as far as that can be known."""

    def reload(self, slot: Slot, version: str, artefact: str, moved: Moved) -> Instance:
        """Replace what runs by that version. Returns when the new one is up and shown to be that version.

        A runner that moves the traffic itself has then moved all of it, and told `moved` of each change of addresses on the
        way. One that only starts the new version beside the old leaves that to its caller, who looks at `status`, which
        from then on is the new one. Raises Failed when the new version does not come up; `revert` is called then. Nothing
        may be ended for good that `revert` needs. What an earlier release left behind, not drained, is ended first.
        """

    def revert(self, slot: Slot, moved: Moved) -> None:
        """Go back to the version before the last `reload` that was not confirmed, however far that had got.

        Called again after a kill, so also when all is back already, or when the reload had not begun. Raises NeedsPerson.
        """

    def confirm(self, slot: Slot) -> None:
        """The new version stays: what was kept for going back is ended. Also called again after a kill."""
