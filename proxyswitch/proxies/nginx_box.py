"""A container that nginx runs in, reached as a person does: `docker exec NAME`, `docker compose exec -T SERVICE`, …

Its processes are processes of this machine too: they carry both numbers (NSpid, proc(5)), and start times count from the
start of the machine on either side. So the container's first process tells which of ours it is, and with it nginx's master.
"""

from __future__ import annotations

import errno
import re
import shlex
from typing import NamedTuple

from proxyswitch.errors import UsageError
from proxyswitch.proxies import nginx_master, nginx_mounts
from proxyswitch.proxies.base import Options
from proxyswitch.proxies.nginx_master import Master
from proxyswitch.system import files, proc
from proxyswitch.system.run import Command, Result, run

LOOK = ("cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat", "/proc/self/mountinfo")
TIMEOUT = 30.0
_GLOB = re.compile(r"([*?\[\]]+)")
_LOGGED = re.compile(r"\[(?:emerg|alert)\] (\d+)#\d+: (.*)")


class Inside(NamedTuple):
    """What was seen: the mounted files with both names, and the master, where it runs and can be seen from here."""

    pairs: tuple[tuple[str, str], ...]
    master: Master | None


class Box:
    """The container behind these words."""

    def __init__(self, options: Options) -> None:
        self.words = tuple(options.inside)
        self.cwd = options.cwd or None
        self.read_before: dict[str, bytes] = {}
        self.listed_before: dict[str, list[str]] = {}

    @property
    def name(self) -> str:
        """The last word before the command: the container, or the service."""
        return self.words[-1]

    def __str__(self) -> str:
        return shlex.join(self.words)

    def run(self, *argv: str, timeout: float = TIMEOUT) -> Result:
        """Run a command in there."""
        return run(Command((*self.words, *argv), timeout=timeout, cwd=self.cwd))

    def look(self) -> Inside:
        """Look into it. Raises UsageError when that is not possible: it does not run, or we may not."""
        step = f"is it up, and may you use it? This must work: {self} cat /proc/1/stat </dev/null"
        try:
            result = self.run(*LOOK)
        except UsageError as error:
            raise UsageError(error.what, next_step="install it, or mend nginx.exec in proxyswitch.toml") from error
        if not result.ok or result.out.count("\n") < len(LOOK) - 1:
            raise UsageError(f"cannot look into nginx's container: {why(result)}", next_step=step)
        boot, first, mounts = result.out.split("\n", 2)
        if boot != proc.boot():
            raise UsageError("nginx's container runs on another machine than this", next_step="run this command there")
        fields = first[first.rfind(")") + 2 :].split()
        ours = nginx_mounts.parse(files.read_text("/proc/self/mountinfo"))
        return Inside(tuple(nginx_mounts.pairs(nginx_mounts.parse(mounts), ours)), _master(int(fields[19]), mounts))

    def read(self, path: str) -> bytes:
        """A file that only the container has. Raises OSError."""
        if path not in self.read_before:
            result = self.run("cat", path)
            if not result.ok:
                raise OSError(errno.EIO, f"cannot be read in the container: {why(result)}")
            self.read_before[path] = result.out.encode()
        return self.read_before[path]

    def matching(self, pattern: str) -> list[str]:
        """The files of a pattern in a folder that only the container has. Raises UsageError."""
        if pattern not in self.listed_before:
            parts = [part if _GLOB.fullmatch(part) else shlex.quote(part) for part in _GLOB.split(pattern) if part]
            result = self.run("sh", "-c", f'for f in {"".join(parts)}; do [ ! -e "$f" ] || echo "$f"; done')
            if not result.ok:
                raise UsageError(f"cannot list {pattern} in nginx's container: {why(result)}")
            self.listed_before[pattern] = result.out.splitlines()
        return self.listed_before[pattern]

    def logged(self, master: int, seconds: float) -> list[str]:
        """What that master (its number in there) complained of lately, where the engine keeps the container's output."""
        if "exec" not in self.words:
            return []
        start = self.words[: self.words.index("exec")]
        result = run(Command((*start, "logs", "--since", f"{int(seconds) + 1}s", self.name), timeout=TIMEOUT, cwd=self.cwd))
        found = _LOGGED.findall(result.out + result.err) if result.ok else []
        return [text for number, text in found if int(number) == master]


def why(result: Result) -> str:
    """The last line that a command left, or how it ended."""
    return next(reversed(result.err.strip().splitlines()), "") or result.reason()


def _master(start: int, mounts: str) -> Master | None:
    """The nginx below the container's first process, which started then (ticks since the start of the machine).

    The number of its root's mount, which no other one has, tells it from more of them, as in a container that shares the
    machine's processes; not every user may know it. Raises UsageError where several remain.
    """
    found = [p for p in map(nginx_master.titled, proc.pids()) if p and _below(p.pid, start)]
    if len(found) > 1:
        found = [p for p in found if proc.mounts(p.pid).partition(" ")[0] == mounts.partition(" ")[0]] or found
    if len(found) > 1:
        listed = ", ".join(str(p.pid) for p in found)
        raise UsageError(f"several nginx run in the container or share its processes (pid {listed}): which one is meant?")
    for process in found:
        return Master(process, *nginx_master.parse_title(proc.title(process.pid)))
    return None


def _below(pid: int, start: int) -> bool:
    line = ((proc.identify(p), p) for p in proc.lineage(pid))
    return any(process and process.start == start and proc.inner_pid(p) == 1 for process, p in line)
