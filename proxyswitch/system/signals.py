"""Signals: to a process that cannot be mistaken for another, and to us while we work."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from proxyswitch.errors import Interrupted, UsageError
from proxyswitch.model import ProcessId
from proxyswitch.system import proc

HUP, TERM, KILL, QUIT = signal.SIGHUP, signal.SIGTERM, signal.SIGKILL, signal.SIGQUIT
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def number(name: str) -> int:
    """The signal of that name, as TERM or SIGTERM. Raises UsageError."""
    try:
        return signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"]
    except KeyError:
        raise UsageError(f"there is no signal {name!r}; known are TERM, INT, QUIT, HUP, USR1 …") from None


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
        raise _forbidden(process) from None
    finally:
        os.close(fd)
    return True


def _forbidden(process: ProcessId) -> UsageError:
    return UsageError(
        f"no permission to signal process {process.pid} ({proc.title(process.pid)})",
        next_step="run it as the user who started that process, or with sudo",
    )


def exists(pid: int) -> bool:
    """True when there is a process with that pid, whether we may see it or not."""
    if pid <= 0:  # such a number would mean a whole group
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
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
    """Signal the process group that `leader` founded, while it leads it.

    Nothing is sent once the leader is gone: its number may be another group's by then.
    """
    if leader.pid <= 1 or not proc.alive(leader) or proc.group(leader.pid) != leader.pid:
        return
    try:
        os.killpg(leader.pid, signum)
    except ProcessLookupError:
        return
    except PermissionError:
        raise _forbidden(leader) from None


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into Interrupted, so that what was begun is undone; an ignored one stays so."""
    with _handled_by(_interrupt):
        yield


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {s: signal.getsignal(s) for s in STOPPING} if _heard_here() else {}
    for signum, known in before.items():
        if known is not signal.SIG_IGN:
            signal.signal(signum, handler)
    try:
        yield
    finally:
        for signum, known in before.items():
            signal.signal(signum, known)


def _heard_here() -> bool:
    """Python runs handlers in the main thread alone, and they can be set there alone."""
    return threading.current_thread() is threading.main_thread()


def _interrupt(signum: int, _frame: FrameType | None) -> None:
    raise Interrupted(signum, f"interrupted by {signal.Signals(signum).name}")


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold those signals back while something is undone; the first arrives afterwards.

    By handlers: a blocked signal would go to another thread of the process, and interrupt us all the same.
    """
    held: list[int] = []
    try:
        with _handled_by(lambda signum, _frame: held.append(signum)):
            yield
    finally:
        for signum in held[:1]:
            os.kill(os.getpid(), signum)
