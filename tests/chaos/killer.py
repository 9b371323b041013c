"""Run `proxyswitch` and kill it with SIGKILL at one of its raw effects, from outside: production code knows nothing of it.

    python -m tests.chaos.killer N before|after|partial|full|full-on|term|term-on -- switch app_backend 127.0.0.1:3002

Every raw effect (a file made, written, flushed, renamed or removed, a process started or signalled, a command sent to a
runtime socket that changes something) is a point, counted from 1. `before` and `after` kill at point N; `partial` kills in
the middle of the first write from point N on; `full` lets point N fail as on a full disk, `full-on` every one from N on;
`term` sends SIGTERM before point N, `term-on` SIGINT before that and every later one. N = 0 only counts.
$CHAOS_TRACE names a file that gets a line a point.
"""

from __future__ import annotations

import builtins
import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

MODES = ("before", "after", "partial", "full", "full-on", "term", "term-on")
WRITING = os.O_CREAT | os.O_WRONLY | os.O_RDWR
# What fails when the disk is full; an overwritten or removed name needs no space.
NEEDS_SPACE = ("open", "write", "fsync", "mkdir", "replace", "setxattr")
BY_PATH = ("unlink", "remove", "mkdir", "rmdir", "chmod", "chown", "setxattr")
BY_FD = ("fsync", "fdatasync", "ftruncate", "fchmod", "fchown")
BY_TWO_PATHS = ("replace", "rename", "link", "symlink")

_kill, _open, _write, _close, _readlink = os.kill, os.open, os.write, os.close, os.readlink


class Killer:
    """Counts the points of this run, and acts at one of them."""

    def __init__(self, number: int, mode: str, trace: str) -> None:
        self.number, self.mode = number, mode
        self.count = 0
        self.trace = _open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if trace else -1

    def point(self, call: str, target: str, act: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        """One effect. `half` does a part of it, where it has parts."""
        self.count += 1
        if self.trace >= 0:
            _write(self.trace, f"{call}\t{target}\n".encode(errors="replace"))
        here = self.count == self.number
        if here and self.mode == "before":
            die()
        self._interrupt(here)
        if self.mode == "partial" and self.count >= self.number > 0 and half:
            half()
            die()
        if (here and self.mode == "full") or (self.mode == "full-on" and self.count >= self.number > 0):
            return self._full(call, target, act, half)
        try:
            return act()
        finally:
            if here and self.mode == "after":
                die()

    def _interrupt(self, here: bool) -> None:
        if here and self.mode == "term":
            _kill(os.getpid(), signal.SIGTERM)
        if self.mode == "term-on" and self.count >= self.number > 0:
            _kill(os.getpid(), signal.SIGINT)

    def _full(self, call: str, target: str, act: Callable[[], Any], half: Callable[[], Any] | None) -> Any:
        if call not in NEEDS_SPACE or (call in ("open", "mkdir") and os.path.lexists(target)):
            return act()
        if half:
            return half()
        raise full(target)


def die() -> None:
    _kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def full(target: str) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)


def name_of(fd: int) -> str:
    return _readlink(f"/proc/self/fd/{fd}")


class Written:
    """A file open for writing whose writes are points."""

    def __init__(self, file: Any, killer: Killer) -> None:
        self._file, self._killer = file, killer

    def write(self, data: bytes) -> int:
        def half() -> int:
            done: int = self._file.write(data[: len(data) // 2])
            self._file.flush()
            if self._killer.mode.startswith("full") and hasattr(self._file, "raw"):  # a buffered file tries again, and fails
                raise full(name_of(self._file.fileno()))
            return done

        result: int = self._killer.point("write", name_of(self._file.fileno()), lambda: self._file.write(data), half)
        self._file.flush()
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Written:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()


class Told:
    """A connection to a runtime socket: each command that changes something is a point; half of it lacks the line end."""

    def __init__(self, sock: Any, killer: Killer) -> None:
        self._sock, self._killer = sock, killer

    def sendall(self, data: bytes) -> None:
        command = re.sub(r"^@\S+ ", "", data.decode(errors="replace").strip())
        if command.startswith("show "):
            self._sock.sendall(data)
            return
        self._killer.point("send", command, lambda: self._sock.sendall(data), lambda: self._sock.sendall(data[:-1]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def install(killer: Killer) -> None:
    """Wrap every raw effect."""
    for name in BY_PATH:
        _wrap(killer, os, name, lambda *a: _path(a[0]))
    for name in BY_FD:
        _wrap(killer, os, name, lambda *a: name_of(a[0]))
    for name in BY_TWO_PATHS:
        _wrap(killer, os, name, lambda *a: _path(a[1]))
    _wrap(killer, os, "write", lambda *a: name_of(a[0]))
    _wrap(killer, os, "open", lambda *a: _path(a[0]), lambda *a: bool(a[1] & WRITING) and a[0] != os.devnull)
    _wrap(killer, os, "kill", lambda *a: str(a[1]), lambda *a: bool(a[1]))
    _wrap(killer, os, "killpg", lambda *a: str(a[1]), lambda *a: bool(a[1]))
    _wrap(killer, signal, "pidfd_send_signal", lambda *a: str(a[1]))
    _wrap(killer, subprocess.Popen, "__init__", lambda *a: " ".join(map(str, a[1])))
    _wrap_open(killer)
    _wrap_exchange(killer)


def _path(path: Any) -> str:
    return os.path.abspath(os.fsdecode(path)) if not isinstance(path, int) else name_of(path)


def _always(*_args: Any) -> bool:
    return True


def _wrap(killer: Killer, owner: Any, name: str, target: Callable[..., str], counts: Callable[..., bool] = _always) -> None:
    real = getattr(owner, name)
    label = "Popen" if name == "__init__" else name

    def wrapped(*args: Any, **named: Any) -> Any:
        if not counts(*args):
            return real(*args, **named)
        return killer.point(label, target(*args), lambda: real(*args, **named))

    setattr(owner, name, wrapped)


def _wrap_open(killer: Killer) -> None:
    real = builtins.open

    def wrapped(file: Any, mode: str = "r", *args: Any, **named: Any) -> Any:
        if not set(mode) & set("wax+"):
            return real(file, mode, *args, **named)
        if isinstance(file, int):  # opened, and counted, before
            return Written(real(file, mode, *args, **named), killer)
        return Written(killer.point("open", _path(file), lambda: real(file, mode, *args, **named)), killer)

    builtins.open = wrapped


def _wrap_exchange(killer: Killer) -> None:
    from proxyswitch.system import net

    real = net.exchange
    net.exchange = lambda sock, *args, **named: real(Told(sock, killer), *args, **named)  # type: ignore[arg-type]


def main() -> None:
    number, mode, dashes, *words = sys.argv[1:]
    if dashes != "--" or mode not in MODES:
        sys.exit(__doc__)
    from proxyswitch.cli import main as proxyswitch

    install(Killer(int(number), mode, os.environ.get("CHAOS_TRACE", "")))
    sys.argv = ["proxyswitch", *words]
    proxyswitch()


if __name__ == "__main__":
    main()
