"""gunicorn's processes: masters and their workers, found by the pid file, by /proc, and by what gunicorn gives them.

After USR2 there are two masters: the second is a child of the first, has GUNICORN_PID in its environment, and writes its
pid into a file named `.2` until the first is gone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from proxyswitch.errors import UsageError
from proxyswitch.model import ProcessId
from proxyswitch.system import files, proc, signals

CLOCK_SLACK = 2.0  # seconds: a process writes its pid file after it was started
HEARTBEAT = "wgunicorn-"
LONG_AGO = 86400.0


def pid_in(path: str) -> int:
    """The number in a pid file; 0 where there is none. Raises UsageError when it may not be read."""
    try:
        text = files.read(path).strip()
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise UsageError(f"{path}: cannot read: {error.strerror}", next_step="run it as a user who may") from error
    return int(text) if text.isdigit() else 0


def master_of(path: str) -> ProcessId | None:
    """The living process that wrote this pid file: one that was started later has only got its number."""
    pid = pid_in(path)
    found = proc.identify(pid) if pid > 1 else None
    if found is None:
        return None
    try:
        written = os.stat(path).st_mtime
    except FileNotFoundError:
        return None
    return found if proc.started(found) <= written + CLOCK_SLACK else None


def seconds_of(master: ProcessId, path: str) -> list[ProcessId]:
    """The second masters that this one has brought up by USR2; at most one that lives."""
    named = pid_in(f"{path}.2")
    wanted = str(master.pid)
    pids = (p for p in _children(master) if p == named or proc.environment(p).get("GUNICORN_PID") == wanted)
    return _living(pids)


def workers(master: ProcessId, path: str) -> list[ProcessId]:
    """Its workers that live, with those that are about to end."""
    others = {second.pid for second in seconds_of(master, path)}
    return _living(p for p in _children(master) if p not in others)


def _children(master: ProcessId) -> list[int]:
    return proc.children(master.pid) if proc.alive(master) else []


def _living(pids: Iterable[int]) -> list[ProcessId]:
    return [found for found in map(proc.identify, pids) if found]


def has_reported(worker: ProcessId) -> bool:
    """True once a worker has loaded its app and said for the first time that it lives.

    It does so by setting the time of a file without a name to its monotonic clock: a day not long after 1970.
    """
    folder = f"/proc/{worker.pid}/fd"
    try:
        held = [fd for fd in os.listdir(folder) if HEARTBEAT in proc.link(worker.pid, f"fd/{fd}")]
        stats = [os.stat(f"{folder}/{fd}") for fd in held]
    except OSError:
        return False
    return any(status.st_mtime < status.st_ctime - LONG_AGO for status in stats)


def in_foreground(master: ProcessId) -> bool:
    """True for one that is no daemon for certain: it leads a session, or was started by who still waits for it."""
    fields = proc.stat(master.pid)
    return bool(fields) and int(fields[3]) == master.pid


class Masters:
    """Masters and all their workers, to be ended; a child that is `spared` stays, with what is below it."""

    def __init__(self, masters: Iterable[ProcessId], spared: Iterable[ProcessId] = ()) -> None:
        self._masters = list(masters)
        self._known, self._spared = set(self._masters), set(spared)

    def members(self) -> list[ProcessId]:
        for parent in [p for p in self._known if proc.alive(p)]:
            self._known.update(set(_living(_children(parent))) - self._spared)
        return [p for p in self._known if proc.alive(p)]

    def ask(self, signum: int) -> None:
        """Only the masters: they tell their workers."""
        self.members()
        for master in self._masters:
            signals.send(master, signum)

    def kill(self) -> None:
        for process in self.members():
            signals.send(process, signals.KILL)
