"""The flag folder of a pool in instant mode: what nginx looks at for each request.

    green → pct-0 … pct-100   a folder with one empty file for each bucket of clients that green serves
    gate  → open, or a folder retry-N.X with the file `closed` while the pool is in maintenance

Each change is one rename(2) of a symbolic link, which every worker of nginx sees at its next request. A canary of blue ends
in `-blue`: the same buckets, and the way in which clients move is remembered.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from proxyswitch.errors import Failed, UsageError
from proxyswitch.system import files, state

GREEN, GATE = "green", "gate"
OPEN = "open"
BUCKETS = 100
_SHARE = re.compile(r"pct-(100|[1-9]?\d)(-blue)?\Z", re.ASCII)


class Flag(NamedTuple):
    """The share of green in percent, and the slot that a canary moves clients to; empty where one side has all."""

    share: int
    rising: str = ""

    @property
    def target(self) -> str:
        """The folder that the link names."""
        back = "-blue" if self.rising == "blue" and 0 < self.share < BUCKETS else ""
        return f"pct-{self.share}{back}"


def make(folder: str, share: int) -> None:
    """The folder for a pool that is to be in instant mode, one side serving. What is there already is set right.

    Raises UsageError or Failed when it cannot be made.
    """
    make_folder(folder)
    files.clear(folder)
    for name in (Flag(0).target, Flag(BUCKETS).target):
        _fill(folder, name)
    set_link(folder, GREEN, Flag(share).target)
    set_link(folder, GATE, OPEN)


def make_folder(folder: str) -> None:
    """The folder itself, which nginx's workers can enter. Raises UsageError."""
    base = str(state.folder())
    try:
        if folder.startswith(base + os.sep):  # ours alone, but for the way to the flags
            state.sub("flags")
            os.chmod(base, 0o711)  # noqa: S103
            os.chmod(os.path.join(base, "flags"), 0o755)  # noqa: S103
        files.open_folder(folder)
    except OSError as error:
        raise UsageError(
            f"{folder}: cannot make the flag folder: {error.strerror}",
            next_step="run it as a user who may, or name another with --flags",
        ) from error


def _fill(folder: str, target: str) -> None:
    """The folder of a share: clients of the buckets below it get green."""
    share = int(target.removeprefix("pct-").removesuffix("-blue"))
    files.fill_folder(os.path.join(folder, target), frozenset(map(str, range(share))))


def read(folder: str) -> Flag:
    """What the flag says: all to blue where it is missing, as nginx then does. Raises UsageError when it is none of ours."""
    target = link(folder, GREEN)
    if not target:
        return Flag(0)
    match = _SHARE.match(target)
    if not match:
        raise UsageError(
            f"{folder}/green: it names {target}, and not a share as pct-0 or pct-100",
            next_step=f"set it right: ln -sfn pct-0 {folder}/green sends all to blue, pct-100 to green",
        )
    share = int(match[1])
    return Flag(share, ("blue" if match[2] else "green") if 0 < share < BUCKETS else "")


def is_canary(target: str) -> bool:
    """True for a share that leaves both sides something."""
    return bool(target) and target not in (Flag(0).target, Flag(BUCKETS).target)


def link(folder: str, name: str) -> str:
    """What a link names; empty where it is missing. Raises UsageError where we may not look."""
    try:
        return os.readlink(os.path.join(folder, name))
    except PermissionError:
        raise UsageError(f"{folder}: no permission to look into it", next_step="run it as a user who may") from None
    except OSError:
        return ""


def set_link(folder: str, name: str, target: str) -> None:
    """Let the link name that target: one rename. Raises UsageError, Failed."""
    if not os.path.isdir(folder):  # somebody removed it: nginx sends all to blue since
        make_folder(folder)
    if name == GREEN:
        _fill(folder, target)
    elif target == OPEN:
        files.fill_folder(os.path.join(folder, OPEN), frozenset())
    files.relink(os.path.join(folder, name), target)
    if link(folder, name) != target:
        raise Failed(f"{folder}/{name}: it was set to {target}, and names {link(folder, name) or 'nothing'} now")


def check_writable(folder: str) -> None:
    """Raise UsageError unless we may set the flag."""
    there = folder
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(
            f"{folder}: no permission to set the flag",
            next_step="run it as a user who may; to allow a group: chgrp GROUP and chmod g+w that folder",
        )
