"""Names of files in a container, and the names that the same files have here.

The kernel says of each mount which part of which file system it shows (mountinfo, proc(5)). What a container shows of a
file system that is mounted here too, is a file of ours.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from proxyswitch.errors import UsageError

MAX_LINKS = 40  # the kernel's own limit
# What every container has mounted, and no config of nginx's lies in.
_OTHER = re.compile(r"/(proc|sys|dev)(/|\Z)|/etc/(hosts|hostname|resolv\.conf)\Z|/\Z")
_OCTAL = re.compile(r"\\([0-7]{3})")
REPLACED = "//deleted"  # the kernel's mark: another file has taken the name of the mounted one


class Mount(NamedTuple):
    """`root` of the file system on `device` is seen at `point`."""

    device: str
    root: str
    point: str


def parse(text: str) -> list[Mount]:
    """The mounts of a mountinfo."""
    rows = (line.split() for line in text.splitlines())
    return [Mount(words[2], _plain(words[3]), _plain(words[4])) for words in rows if len(words) > 4]


def _plain(text: str) -> str:
    """Blanks and backslashes stand there as octal numbers."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def pairs(theirs: Iterable[Mount], ours: Iterable[Mount]) -> Iterator[tuple[str, str]]:
    """What the container mounts of our files: the name inside, and the name here."""
    known = list(ours)
    for mount in theirs:
        here = "" if _OTHER.match(mount.point) else _here(mount, known)
        if here:
            yield mount.point, here


def _here(mount: Mount, ours: list[Mount]) -> str:
    """Where we see what is mounted there; empty where we do not."""
    root = mount.root.removesuffix(REPLACED)
    found = [m for m in ours if m.device == mount.device and below(root, m.root)]
    best = max(found, key=lambda m: len(m.root), default=None)
    path = moved(root, best.root, best.point) if best else ""
    return path if path and os.path.lexists(path) else ""


def below(path: str, folder: str) -> bool:
    """True for the folder itself too."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def moved(path: str, folder: str, to: str) -> str:
    """The path as it is called when `folder` is called `to`."""
    return os.path.normpath(os.path.join(to, os.path.relpath(path, folder)))


class Paths:
    """Both names of what is mounted. Where two pairs fit, the more exact one counts, then the first."""

    def __init__(self, known: Iterable[Iterable[str]]) -> None:
        named = [(os.path.normpath(inside), os.path.realpath(here)) for inside, here in known]
        self.pairs = tuple(dict.fromkeys(named))

    def here(self, inside: str) -> str:
        """The file's name here; empty for one that is not mounted."""
        found = [pair for pair in self.pairs if below(inside, pair[0])]
        best = max(found, key=lambda pair: len(pair[0]), default=None)
        return moved(inside, *best) if best else ""

    def inside(self, here: str) -> str:
        """The file's name in the container; empty for one that is not mounted."""
        found = [pair for pair in self.pairs if below(here, pair[1])]
        best = max(found, key=lambda pair: len(pair[1]), default=None)
        return moved(here, best[1], best[0]) if best else ""

    def check_mounted(self, here: str) -> None:
        """Raise UsageError for a file that only the container has."""
        if not self.inside(here):
            raise UsageError(
                f"{here}: this file is part of the container, and a change would be lost with it",
                next_step="mount it from this machine (its folder, rather than the file), or say where it is by nginx.paths",
            )

    def alone(self, here: str) -> bool:
        """True for a file that is mounted by itself, and not by its folder."""
        return any(here == pair[1] for pair in self.pairs) and os.path.isfile(here)

    def real(self, inside: str) -> str:
        """The name inside with links resolved as they are there: one to `/etc` leads to the container's, not to ours."""
        done, links = "/", 0
        rest = inside.split("/")[::-1]
        while rest:
            step = os.path.normpath(os.path.join(done, rest.pop()))
            here = self.here(step)
            if here and os.path.islink(here) and links < MAX_LINKS:
                links += 1
                rest += os.readlink(here).split("/")[::-1]
                done = "/" if os.readlink(here).startswith("/") else done
            else:
                done = step
        return done
