"""Commands: argv values, and the one executor that runs them, always with a time limit."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import ProcessId
from proxyswitch.system import clock, proc, signals

Tick = Callable[[float], None]
TICK_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `timeout` in seconds; `env` is added to ours; `input` is what it reads. Output is kept as text, or
    thrown away where it is `quiet`: then what it leaves running cannot hold us by it."""

    argv: tuple[str, ...]
    timeout: float = 60.0
    cwd: str | None = None
    env: Mapping[str, str] | None = None
    input: bytes | None = None
    quiet: bool = False

    def __str__(self) -> str:
        return shlex.join(self.argv)


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended. `code` is negative for a signal; `timed_out` when we ended it."""

    code: int
    out: str
    err: str
    seconds: float
    timed_out: bool = False

    @property
    def ok(self) -> bool:
        return self.code == 0 and not self.timed_out

    def reason(self) -> str:
        """Why it is not ok, in words."""
        if self.timed_out:
            return f"it did not end within {self.seconds:.0f} s"
        return f"it {ending(self.code)}"


def ending(code: int) -> str:
    """How a process ended, in words, from its status (negative for a signal)."""
    if code >= 0:
        return f"ended with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # the numbers between SIGRTMIN and SIGRTMAX have no name
        return f"was ended by signal {-code}"
    return f"was ended by signal {-code} ({name})"


def no_tick(_seconds: float) -> None:
    """A tick that nobody hears."""


class Running:
    """A command that was started and is not waited for yet."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.begun = clock.now()
        self.process = start(command)

    def finish(self, tick: Tick = no_tick) -> Result:
        """Wait for the end, at most until the time limit; then its whole process group is killed.

        `tick` is called every ten seconds, with the seconds since the start.
        """
        timed_out = False
        with self.process:  # closes the pipes and reaps it, however this ends
            try:
                out, err = self.output(tick)
            except subprocess.TimeoutExpired:
                timed_out = True
                self.kill()
                out, err = self.rest()
            except BaseException:
                self.kill()
                raise
        return Result(self.process.returncode, _text(out), _text(err), clock.now() - self.begun, timed_out)

    def output(self, tick: Tick) -> tuple[bytes, bytes]:
        """All that it writes until its end. Raises TimeoutExpired; what was written by then is not lost."""
        end = self.begun + self.command.timeout
        while True:
            left = max(0.0, end - clock.now())
            try:
                return self.process.communicate(timeout=min(left, TICK_EVERY))
            except subprocess.TimeoutExpired:
                if left <= TICK_EVERY:
                    raise
            tick(clock.now() - self.begun)

    def rest(self) -> tuple[bytes, bytes]:
        """What was written before it was killed. A daemon that left the group may hold the pipes open for ever."""
        try:
            return self.process.communicate(timeout=1.0)
        except subprocess.TimeoutExpired as late:
            return late.output or b"", late.stderr or b""

    def kill(self) -> None:
        kill(self.process)


def kill(leader: subprocess.Popen[bytes]) -> None:
    """Kill a command that `start` started, and all of its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGKILL)


def start(command: Command) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own. Raises UsageError when there is no such program.

    A signal that comes meanwhile is heard when it has started: it is killed then, since nobody would know of it.
    """
    child: subprocess.Popen[bytes] | None = None
    try:
        with signals.uninterrupted():
            child = _popen(command)
    except BaseException:
        if child:
            with child:
                kill(child)
        raise
    return child


def _popen(command: Command) -> subprocess.Popen[bytes]:
    output = subprocess.DEVNULL if command.quiet else subprocess.PIPE
    given = subprocess.DEVNULL if command.input is None else _file_of(command.input)
    try:
        return subprocess.Popen(
            command.argv,
            stdin=given,
            stdout=output,
            stderr=output,
            cwd=command.cwd,
            env={**os.environ, **command.env} if command.env else None,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # a ValueError for a word with a NUL in it
        raise UsageError(f"cannot run {command}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        if given >= 0:
            os.close(given)


def _file_of(data: bytes) -> int:
    """A file in memory with that text: it is there at once, whoever reads it and whenever, and never on a disk."""
    fd = os.memfd_create("input")
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def run(command: Command, tick: Tick = no_tick) -> Result:
    """Run a command to its end; `tick` is called every ten seconds, with the seconds since its start."""
    return Running(command).finish(tick)


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Detached:
    """A process that outlives us: a session of its own, standard streams closed or in `log`."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    log: str
    cwd: str | None = None
    user: str | None = None
    umask: int = -1


def spawn(what: Detached) -> ProcessId:
    """Start it. Raises UsageError when it cannot be started at all (no such program, folder or user).

    One that has ended already is returned too: as our child it stays a zombie, so its start time can still be read.
    """
    uid, gid, groups = _identity(what.user)
    log = os.open(what.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o640)
    try:
        child = subprocess.Popen(
            what.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=what.cwd,
            env=dict(what.env),
            start_new_session=True,
            umask=what.umask,
            user=uid,
            group=gid,
            extra_groups=groups,
            preexec_fn=_unblock if signal.pthread_sigmask(signal.SIG_BLOCK, ()) else None,  # noqa: PLW1509
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        name = getattr(error, "filename", None)
        raise UsageError(f"cannot start {shlex.join(what.argv)}: {reason}{f': {name}' if name else ''}") from error
    finally:
        os.close(log)
    _children[child.pid] = child
    fields = proc.stat(child.pid)
    if not fields:  # only where SIGCHLD is ignored, and children leave nothing behind
        raise Failed(f"{shlex.join(what.argv)} ended at once", next_step=f"read its log: {what.log}")
    return ProcessId(child.pid, int(fields[19]))


def _unblock() -> None:
    """In the child: signals that were blocked when we were called must reach the app."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


# Kept so that a child that dies while we live is reaped: see `reap`.
_children: dict[int, subprocess.Popen[bytes]] = {}


def reap(pid: int) -> int | None:
    """The exit status of a child of ours that has ended (negative for a signal); None when unknown or running."""
    child = _children.get(pid)
    return child.poll() if child else None


def _identity(user: str | None) -> tuple[int | None, int | None, list[int] | None]:
    """User, group and further groups to become; nothing where we are that user already."""
    if not user:
        return None, None, None
    import pwd

    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise UsageError(f"there is no user {user!r} on this machine") from None
    if entry.pw_uid == os.geteuid():
        return None, None, None
    return entry.pw_uid, entry.pw_gid, os.getgrouplist(user, entry.pw_gid)
