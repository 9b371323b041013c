"""Readers of /proc: processes and their titles. All of them take a process that vanishes in between for gone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from proxyswitch.model import ProcessId
from proxyswitch.system import clock

TICKS = os.sysconf("SC_CLK_TCK")
ENV_END = 51 - 3  # among the fields from the third on
EXECUTING = 100  # looks, a millisecond apart
CERTAIN = 3  # looks in vain: between reading the one file and the other it may begin to execute, or end it


def _read(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _told(pid: int, name: str) -> bytes:
    """The command line or the environment. Both are empty for a moment while the process executes a program, as a master
    of HAProxy does at each reload: it must not be taken for gone, nor for one without a variable."""
    empty = 0
    for _ in range(EXECUTING):
        data = _read(pid, name)
        if data or empty == CERTAIN:
            return data
        if _executes(pid):
            clock.sleep(0.001)
        else:
            empty += 1
    return b""


def _executes(pid: int) -> bool:
    """True while it has its new program, and no words of it: the kernel notes last where they end (proc_pid_stat(5))."""
    fields = stat(pid)
    return len(fields) > ENV_END and fields[0] not in (b"Z", b"X") and fields[ENV_END] == b"0" and bool(link(pid, "exe"))


def stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat behind the name, from the state on (field 3); empty for a process that is gone."""
    data = _read(pid, "stat")
    return data[data.rfind(b")") + 2 :].split()


def identify(pid: int) -> ProcessId | None:
    """The process with its start time; None when there is none, or only a zombie."""
    fields = stat(pid)
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    return ProcessId(pid, int(fields[19]))


def alive(process: ProcessId) -> bool:
    """True while that very process runs: a later one with its pid does not count, nor does a zombie."""
    return identify(process.pid) == process


def age(process: ProcessId) -> float:
    """Seconds since it started."""
    return max(0.0, clock.since_boot() - process.start / TICKS)


def started(process: ProcessId) -> float:
    """When it started, in seconds since 1970."""
    return clock.wall() - age(process)


def title(pid: int) -> str:
    """The command line as a process shows it, words joined by spaces."""
    return _told(pid, "cmdline").replace(b"\0", b" ").decode("utf-8", "surrogateescape").strip()


def words(pid: int) -> tuple[str, ...]:
    """The command line, word for word; a process that has given itself a title shows that as one word, or few."""
    data = _told(pid, "cmdline").rstrip(b"\0")
    return tuple(word.decode("utf-8", "replace") for word in data.split(b"\0")) if data else ()


def arguments(pid: int) -> tuple[str, ...]:
    """The command line as it was given, empty words too; () where there is none, as of a thread of the kernel's."""
    data = _told(pid, "cmdline")
    return tuple(os.fsdecode(word) for word in data.removesuffix(b"\0").split(b"\0")) if data else ()


def parent(pid: int) -> int:
    fields = stat(pid)
    return int(fields[1]) if fields else 0


def inner_pid(pid: int) -> int:
    """The number that it has itself, as one in a container has another one than we see; 0 for a process that is gone."""
    row = next((line for line in _read(pid, "status").splitlines() if line.startswith(b"NSpid:")), b"")
    return int(row.split()[-1]) if row else 0


def group(pid: int) -> int:
    fields = stat(pid)
    return int(fields[2]) if fields else 0


def lineage(pid: int) -> list[int]:
    """The process itself, its parent, and so on up to the first."""
    line: list[int] = []
    while pid > 0 and pid not in line:
        line.append(pid)
        pid = parent(pid)
    return line


def boot() -> str:
    """What tells this start of the machine from any other."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def children(pid: int) -> list[int]:
    """The direct children. The kernel's own list where it has one, else a walk through all processes."""
    listed = _read(pid, f"task/{pid}/children")
    if listed:
        return [int(word) for word in listed.split()]
    return [p for p in pids() if parent(p) == pid]


def group_members(pgid: int) -> list[ProcessId]:
    """The living processes of a process group."""
    found = (identify(p) for p in pids() if group(p) == pgid)
    return [p for p in found if p]


def tree(pid: int) -> list[int]:
    """The process, all that descend from it, and all of the session that it leads, in one look at all processes."""
    rows = {other: fields for other in pids() if (fields := stat(other)) and fields[0] not in (b"Z", b"X")}
    if pid not in rows:
        return []
    found = [pid, *(p for p, row in rows.items() if int(row[3]) == pid != p)]
    below: dict[int, list[int]] = {}
    for other, row in rows.items():
        below.setdefault(int(row[1]), []).append(other)
    for other in found:  # which grows meanwhile
        found += [p for p in below.get(other, ()) if p not in found]
    return found


def environment(pid: int) -> dict[str, str]:
    """The environment that it was started with; empty where we may not read it."""
    pairs = (entry.partition(b"=") for entry in _told(pid, "environ").split(b"\0") if entry)
    return {os.fsdecode(key): os.fsdecode(value) for key, _, value in pairs}


def with_environment(key: str, value: str) -> list[ProcessId]:
    """The living processes that were started with that variable."""
    needle = os.fsencode(f"{key}={value}")
    found = [identify(p) for p in pids() if needle in _told(p, "environ").split(b"\0")]
    return [p for p in found if p]


def cgroup(pid: int) -> str:
    """The control groups that it is in, as /proc/PID/cgroup lists them; empty for a process that is gone."""
    return _read(pid, "cgroup").decode("utf-8", "replace")


def link(pid: int, name: str) -> str:
    """What /proc/PID/NAME (exe, cwd, root, ns/mnt) points to; empty where we may not know."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/{name}")
    return ""


def mounts(pid: int) -> str:
    """What is mounted where it sees it, as /proc/PID/mountinfo lists it; empty where we may not know."""
    return _read(pid, "mountinfo").decode("utf-8", "surrogateescape")


def sees_our_files(pid: int) -> bool:
    """True unless the process has another root than ours, as one in a container has.

    A mount namespace of its own alone is no such sign: systemd gives one to every service with PrivateTmp or a bind mount.
    A process that has changed its root to a folder of ours is told by that folder. What may not be known counts as ours.
    """
    if link(pid, "ns/mnt") in ("", link(os.getpid(), "ns/mnt")):
        return True
    try:
        theirs, ours = os.stat(f"/proc/{pid}/root"), os.stat(link(pid, "root"))
    except OSError:
        return False
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def shares_network(pid: int) -> bool:
    """True when it is known to have the network that we have."""
    theirs = link(pid, "ns/net")
    return theirs != "" and theirs == link(os.getpid(), "ns/net")


def owner(pid: int) -> int | None:
    """The user id that it runs as."""
    with contextlib.suppress(OSError):
        return os.stat(f"/proc/{pid}").st_uid
    return None


def credentials(pid: int) -> tuple[int, int, tuple[int, ...]] | None:
    """The user id, group id and further groups with which it reaches files; None for a process that is gone."""
    rows = dict(line.partition(b":")[::2] for line in _read(pid, "status").splitlines())
    try:
        uid, gid = int(rows[b"Uid"].split()[3]), int(rows[b"Gid"].split()[3])  # real, effective, saved, of files
        return uid, gid, tuple(int(word) for word in rows[b"Groups"].split())
    except (KeyError, IndexError, ValueError):
        return None
