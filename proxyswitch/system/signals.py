"""Signals: to a process that cannot be mistaken for another, and to us while we work."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

from proxyswitch.errors import Interrupted, UsageError
from proxyswitch.model import ProcessId
from proxyswitch.system import proc

HUP, TERM, KILL, QUIT = signal.SIGHUP, signal.SIGTERM, signal.SIGKILL, signal.SIGQUIT
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def send(process: ProcessId, signum: int) -> bool:
    """Signal that very process. Returns False when it is gone. Raises UsageError when it is not ours to signal.

    The pidfd is opened first and the start time compared afterwards, so no later process can be hit.
    """
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not proc.alive(process):
            return False
        signal.pidfd_send_signal(fd, signum)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise UsageError(
            f"no permission to signal process {process.pid} ({proc.title(process.pid)})",
            next_step="run it as the user who started that process, or with sudo",
        ) from None
    finally:
        os.close(fd)
    return True


def may_signal(process: ProcessId) -> bool:
    """True when we are allowed to signal it; nothing is sent."""
    try:
        os.kill(process.pid, 0)
    except PermissionError:
        return False
    except ProcessLookupError:
        return True
    return True


def send_group(leader: ProcessId, signum: int) -> None:
    """Signal what is left of the process group that `leader` founded.

    A group's number is not given to a new process while a member lives, so a member that is not older than the leader
    proves that the group is still the same.
    """
    if any(member.start >= leader.start for member in proc.group_members(leader.pid)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader.pid, signum)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into Interrupted, so that what was begun is undone; an ignored one stays so."""
    before = {s: signal.getsignal(s) for s in STOPPING}
    for signum, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(signum, _interrupt)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _interrupt(signum: int, _frame: FrameType | None) -> None:
    raise Interrupted(signum, f"interrupted by {signal.Signals(signum).name}")


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold those signals back while something is undone; they arrive afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
