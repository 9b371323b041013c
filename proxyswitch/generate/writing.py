"""Write what was made: over nothing, or over what we made and nobody edited; else refuse, with the picture of both.

What was made last is kept in the state folder: an edit by hand and a new text are both compared with it. Whether a file was
edited is told by its own head, so a run that is killed anywhere leaves one text or the other whole, and both known.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from proxyswitch.errors import UsageError
from proxyswitch.generate import head, kept, threeway
from proxyswitch.generate.render import Made
from proxyswitch.system import files, locks, signals, state

LOCK_TIMEOUT = 10.0


@dataclass(frozen=True)
class Place:
    """Where a file is to go, and what is there now (None: nothing)."""

    made: Made
    real: str
    there: bytes | None

    @property
    def path(self) -> str:
        return self.made.path

    @property
    def text(self) -> str:
        return (self.there or b"").decode("utf-8", "surrogateescape")

    @property
    def same(self) -> bool:
        return self.there is not None and (self.text == self.made.text or head.same(self.text, self.made.text))

    @property
    def ours(self) -> bool:
        return bool(head.mark(self.text))

    @property
    def edited(self) -> bool:
        return head.edited(self.text)


def look(made: Made) -> Place:
    """What is at the place of a file. Raises UsageError when it cannot be read, or is no file."""
    real = os.path.realpath(made.path)
    try:
        return Place(made, real, files.read(real))
    except FileNotFoundError:
        return Place(made, real, None)
    except OSError as error:
        raise UsageError(f"{made.path}: cannot read: {error.strerror}") from None


def differences(place: Place) -> str:
    """What would change, for people; empty where nothing would."""
    if place.same:
        return ""
    if place.ours and place.edited:
        return threeway.picture(_base(place), place.text, place.made.text, place.path)
    old = place.path if place.there is not None else "/dev/null"
    return threeway.diff(place.text, place.made.text, old, f"{place.path} (made anew)")


def refusal(place: Place) -> UsageError | None:
    """Why the file must not be written over; None where it may."""
    if place.there is None or place.same or (place.ours and not place.edited):
        return None
    if place.ours:
        return UsageError(
            f"{place.path} was edited since it was made",
            next_step="--diff shows your lines beside the new ones; take over what you need, or write over it with --force",
        )
    return UsageError(
        f"{place.path} is there already, and was not made by generate",
        next_step="--diff shows what would change; --force writes over it, or name another file with --output",
    )


def write(places: list[Place]) -> list[str]:
    """Write those that differ, all or none, under a lock. Returns the copies of what `--force` has replaced.

    Raises UsageError when a file changed meanwhile, or may not be written; Failed when the disk is full.
    """
    changed = [place for place in places if not place.same]
    copies = [copy for place in changed if (copy := _keep(place))]
    undo: list[Callable[[], None]] = []
    with signals.interruptible(), ExitStack() as held:
        for place in sorted(changed, key=lambda place: place.real):
            held.enter_context(_lock(place))
        try:
            for place in changed:
                undo.insert(0, _put(place))
        except BaseException:
            with signals.uninterrupted():
                for step in undo:
                    step()
            raise
    for place in changed:
        _forget(place)
    return copies


def _lock(place: Place) -> AbstractContextManager[None]:
    return locks.hold(_store() / f"{state.key(place.real)}.lock", place.path, LOCK_TIMEOUT)


def _put(place: Place) -> Callable[[], None]:
    """Write one; returns how to take it back."""
    folder = os.path.dirname(place.real)
    _make(folder, place)
    files.clear(folder)
    now = look(place.made)
    if now.there != place.there:
        raise UsageError(f"{place.path} was changed by somebody else just now", next_step="look at it, then run it again")
    _remember(place)
    data = place.made.text.encode()
    if place.there is None:
        files.replace(place.real, data, place.made.part.mode)
        return lambda: files.remove(place.real)
    before = place.there
    _replace(place.real, data)
    return lambda: _replace(place.real, before)


def _make(folder: str, place: Place) -> None:
    """A folder of a project or user is made. One of the system's that is missing, as /etc/nginx/conf.d, is a mistake."""
    if os.path.isdir(folder):
        return
    if place.made.part.path.startswith("/"):
        raise UsageError(f"{place.path}: there is no folder {folder}", next_step="make it, or name another with --output")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{place.path}: cannot make its folder: {error.strerror}") from None


def _replace(real: str, data: bytes) -> None:
    files.check_writable(real)
    files.rewrite(real, data, "new")


# what was made last


def _store() -> Path:
    return state.sub(kept.FOLDER)


def _name(place: Place, mark: str) -> Path:
    return _store() / f"{state.key(place.real)}-{mark}"


def _remember(place: Place) -> None:
    files.replace(_name(place, head.mark(place.made.text)), place.made.text.encode())


def _base(place: Place) -> str | None:
    """The text that the head of the file tells of; None when it was made elsewhere."""
    try:
        return files.read_text(state.folder() / kept.FOLDER / f"{state.key(place.real)}-{head.mark(place.text)}")
    except OSError:
        return None


def _forget(place: Place) -> None:
    """What was made before is of no use any more."""
    store, wanted = _store(), _name(place, head.mark(place.made.text)).name
    for name in os.listdir(store):
        if name.startswith(f"{state.key(place.real)}-") and name != wanted:
            files.remove(store / name)


def _keep(place: Place) -> str:
    """A copy of what --force replaces; empty where nothing of the person's is lost."""
    if place.there is None or refusal(place) is None:
        return ""
    return kept.keep(place.real, place.there)
