"""Ending processes: asked first, killed after their grace, and never another that has got one of their numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

from proxyswitch.drivers._launch import MARKER
from proxyswitch.errors import Failed, NeedsPerson
from proxyswitch.model import ProcessId
from proxyswitch.polling import until
from proxyswitch.system import proc, signals

KILL_WAIT = 5.0


class Target(Protocol):
    """Processes that belong together."""

    def members(self) -> list[ProcessId]:
        """Those that live."""

    def ask(self, signum: int) -> None:
        """Tell them to end."""

    def kill(self) -> None:
        """End what is left."""


def end(target: Target, signum: int, grace: float, name: str) -> bool:
    """End all of them: ask, wait for `grace` seconds, kill, wait again. Raises NeedsPerson when one stays.

    True when all ended as asked, False when some had to be killed.
    """

    def gone() -> bool | None:
        return None if target.members() else True

    def killed() -> bool | None:
        target.kill()
        return gone()

    target.ask(signum)
    if until(gone, grace):
        return True
    if until(killed, KILL_WAIT):
        return False
    left = ", ".join(f"{p.pid} ({proc.title(p.pid)})" for p in target.members())
    raise NeedsPerson(
        f"{name} does not end, not even by SIGKILL",
        state=f"still running: process {left}",
        next_step="look what it waits for (/proc/PID/wchan, dmesg), end it, then run this again",
    )


class Family:
    """An instance that we started: its process group, and whatever else of it carries its marker.

    A group is ours while its leader lives, or a member that carries the marker or writes the instance's log, or one
    that we knew before: its number is not given away while any member lives.
    """

    def __init__(self, marker: str, leader: ProcessId | None, log: str) -> None:
        self._marker, self._leader, self._log = marker, leader, log
        self._known: set[ProcessId] = set()

    def members(self) -> list[ProcessId]:
        proven = {p.pid: p for p in self._proven()}
        groups = {proc.group(pid) for pid in proven} - {0, 1}  # 0: the kernel's threads, and to kill(2) our own group
        self._known |= set(proven.values()).union(*map(proc.group_members, groups))
        return [p for p in self._known if proc.alive(p)]

    def _proven(self) -> Iterator[ProcessId]:
        yield from (p for p in self._known if proc.alive(p))
        yield from proc.with_environment(MARKER, self._marker)
        if self._leader and proc.alive(self._leader):
            yield self._leader
        elif self._leader:
            yield from (p for p in proc.group_members(self._leader.pid) if self._writes_log(p))

    def _writes_log(self, process: ProcessId) -> bool:
        """For a process that has overwritten its environment with its title."""
        return bool(self._log) and self._log in (proc.link(process.pid, "fd/1"), proc.link(process.pid, "fd/2"))

    def ask(self, signum: int) -> None:
        members = self.members()
        self._refuse_ourselves(members)
        leaders = [p for p in members if proc.group(p.pid) == p.pid]
        groups = {p.pid for p in leaders}
        rest = [p for p in members if proc.group(p.pid) not in groups]
        for leader in leaders:
            signals.send_group(leader, signum)
        for process in rest:
            signals.send(process, signum)

    def kill(self) -> None:
        self.ask(signals.KILL)

    def _refuse_ourselves(self, members: list[ProcessId]) -> None:
        above = {p.pid for p in members} & set(proc.lineage(os.getpid()))
        if above:
            raise Failed(
                f"this command itself runs inside the instance that it should end (process {min(above)})",
                next_step="run it from elsewhere",
            )
