"""Readers of the machine: its load, its processors, and the space of its disks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from proxyswitch.errors import UsageError


class Disk(NamedTuple):
    """What an ordinary user may still write: bytes, and files (None where the file system does not count them). `device`
    is the same for all folders of a file system."""

    bytes: int
    files: int | None
    device: int


def disk(folder: str | Path) -> Disk:
    """The disk of a folder; of the nearest folder above it, while it is not there. Raises UsageError."""
    path = Path(os.path.abspath(folder))
    place = next(p for p in (path, *path.parents) if os.path.exists(p))
    try:
        found, device = os.statvfs(place), os.stat(place).st_dev
    except OSError as error:
        raise UsageError(f"{place}: cannot see what is free there: {error.strerror}") from error
    return Disk(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None, device)


def load() -> float:
    """The load of the last minute, for each processor that we may use."""
    return os.getloadavg()[0] / len(os.sched_getaffinity(0))
