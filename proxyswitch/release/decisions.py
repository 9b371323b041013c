"""What a person decides of a release that waits: one small file, written by `promote` or `abort`, taken by the release."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from proxyswitch.errors import UsageError
from proxyswitch.polling import until
from proxyswitch.system import files, locks, state

PROMOTE, ABORT = "promote", "abort"
HEEDED = 10.0  # seconds in which a release that waits has taken it


class Decision(Struct, frozen=True):
    """`promote` or `abort`, and who says so."""

    word: str
    user: str


def _path(app: str) -> Path:
    return state.folder() / "apps" / app / "decision.json"


def take(app: str) -> Decision | None:
    """The decision, which is gone then; None while there is none."""
    try:
        told = msgspec.json.decode(files.read(_path(app)), type=Decision)
    except (OSError, msgspec.MsgspecError):
        return None
    files.remove(_path(app))
    return told


def forget(app: str) -> None:
    """What was said to an earlier release is not meant for the next."""
    files.remove(_path(app))


def tell(app: str, word: str) -> None:
    """Tell the release that waits. Raises UsageError when none takes it in time; then nothing was said."""
    path = _path(app)
    files.make_folder(path.parent)
    files.replace(path, msgspec.json.encode(Decision(word, locks.user())))
    if not until(lambda: True if not path.exists() else None, HEEDED):
        files.remove(path)
        raise UsageError(f"no release of {app} waits for a decision", next_step=f"what runs: proxyswitch status {app}")
