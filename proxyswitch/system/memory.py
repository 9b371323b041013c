"""Readers of memory: what processes use, and what is free on this machine and below the limits of control groups. In bytes.

All of them take what vanishes in between, or may not be read, for not there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from proxyswitch.system import files, proc

# The file of a limit, of what is used, and the rows of memory.stat that count cached files, which make room when needed.
# memory.high comes before memory.max: above it a group is slowed down until it stands still.
V1 = (("memory.limit_in_bytes",), "memory.usage_in_bytes", ("total_inactive_file", "total_active_file"))
V2 = (("memory.max", "memory.high"), "memory.current", ("inactive_file", "active_file"))


class Free(NamedTuple):
    """What is free below a limit; `group` is the control group that has it, empty for the machine itself."""

    bytes: int
    group: str = ""


class Mount(NamedTuple):
    """Where control groups are shown: the folder, which of them it shows at its top, and the version of cgroups(7)."""

    folder: str
    top: str
    version: int


def used(pid: int) -> int:
    """What a process has of memory and swap; of what it shares with others its part only, where that may be read."""
    rows = _rows(f"/proc/{pid}/smaps_rollup")
    if "Pss" in rows:
        return rows["Pss"] + rows.get("SwapPss", 0)
    return resident(pid)


def resident(pid: int) -> int:
    """The same with all that it shares: too much, but anybody may read it, and at once."""
    rows = _rows(f"/proc/{pid}/status")
    return rows.get("VmRSS", 0) + rows.get("VmSwap", 0)


def of_tree(pid: int, enough: int = 0) -> int:
    """What a process, all that descend from it, and all of the session that it leads have. To tell the share of a large
    process takes the kernel a while: where what is resident is below `enough`, that will do."""
    tree = proc.tree(pid)
    rough = sum(map(resident, tree))
    return rough if rough <= enough else sum(map(used, tree))


def available() -> int | None:
    """What this machine can still give without swapping; None where the kernel does not say."""
    return _rows("/proc/meminfo").get("MemAvailable")


def below_limits(pid: int, above: int = 0) -> Iterator[Free]:
    """What the control group of a process, and each group around it, still has below its limit; the innermost `above` of
    them left out."""
    groups, mounts = proc.cgroup(pid), list(_mounts(proc.mounts(os.getpid())))
    for row in groups.splitlines():
        _, controllers, path = row.split(":", 2)
        version = 1 if "memory" in controllers.split(",") else 2 if not controllers else 0
        for mount in mounts:
            if mount.version == version:
                yield from _below(mount, path, above)


def _below(mount: Mount, path: str, above: int) -> Iterator[Free]:
    """From a group up to the topmost that is shown."""
    inner = os.path.relpath(path, mount.top)
    parts = [] if inner.startswith("..") or inner == "." else inner.split("/")
    for depth in range(len(parts) - above, -1, -1):
        free = _free(os.path.join(mount.folder, *parts[:depth]), mount.version)
        if free is not None:
            yield Free(free, os.path.join(mount.top, *parts[:depth]))


def _free(folder: str, version: int) -> int | None:
    """What a group has below its limit; None for one without."""
    limits, usage, cached = V1 if version == 1 else V2
    values = [value for name in limits if (value := _number(f"{folder}/{name}")) is not None]
    use = _number(f"{folder}/{usage}")
    if not values or use is None:
        return None
    stat = dict(row.partition(" ")[::2] for row in _text(f"{folder}/memory.stat").splitlines())
    return max(0, min(values) - use + sum(int(stat.get(name, 0)) for name in cached))


def _mounts(text: str) -> Iterator[Mount]:
    """From /proc/PID/mountinfo: proc(5)."""
    for row in text.splitlines():
        before, _, after = row.partition(" - ")
        kind, _, options = after.split(" ", 2)
        _, _, _, top, folder, *_ = before.split(" ")
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            yield Mount(folder, top, 2 if kind == "cgroup2" else 1)


def _number(path: str) -> int | None:
    """None for `max`, and for what is not there."""
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _rows(path: str) -> dict[str, int]:
    """The rows `Name:  123 kB` of a file, in bytes."""
    rows = (row.split() for row in _text(path).splitlines())
    return {row[0].removesuffix(":"): int(row[1]) * 1024 for row in rows if len(row) == 3 and row[2] == "kB"}


def _text(path: str) -> str:
    with contextlib.suppress(OSError):
        return files.read_text(path)
    return ""
