"""Locks: flock on a file, kept by the kernel, so that a killed run leaves none behind. The file tells who holds it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from proxyswitch.errors import Busy, Failed, UsageError
from proxyswitch.system import clock, files


@contextlib.contextmanager
def hold(path: Path, what: str, timeout: float) -> Iterator[None]:
    """Hold the lock at `path`; `what` names in messages what is locked. Waits at most `timeout` seconds.

    Raises Busy, which says who holds it, for how long and by which command.
    """
    from filelock import Timeout, UnixFileLock

    lock = UnixFileLock(path, mode=0o600, fallback_to_soft=False, preserve_lock_file=True)
    try:
        lock.acquire(timeout=timeout, poll_interval=0.02)
    except Timeout:
        raise Busy(f"{what} is busy: {holder(path)}", next_step="wait for it, or give --lock-timeout 60s") from None
    except PermissionError as error:
        raise UsageError(f"{path}: no permission to lock", next_step="run it as the user who owns it") from error
    except OSError as error:
        kind = Failed if error.errno in files.FULL else UsageError
        raise kind(f"{path}: cannot lock: {error.strerror}") from error
    try:
        _sign(path)
        yield
    finally:
        lock.release()


def _sign(path: Path) -> None:
    """Say in the file who holds the lock. A full disk must not stop a run that has the lock: then it stays nameless."""
    entry = {"pid": os.getpid(), "user": user(), "command": shlex.join(sys.argv), "since": clock.wall()}
    with contextlib.suppress(OSError):
        files.overwrite(str(path), json.dumps(entry).encode() + b"\n")


def user() -> str:
    """The name of the user who runs this; behind sudo, of the one who called it."""
    import pwd

    name = os.environ.get("SUDO_USER")
    if name:
        return name
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return str(os.geteuid())


def holder(path: Path) -> str:
    """Who holds the lock, as its file tells."""
    try:
        entry = json.loads(files.read(path))
        if not os.path.exists(f"/proc/{int(entry['pid'])}"):
            return "another run holds it, which has not said yet who it is"
        age = clock.wall() - float(entry["since"])
        return f"pid {entry['pid']} of {entry['user']} has held it for {age:.0f} s: {entry['command']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another run holds it"
