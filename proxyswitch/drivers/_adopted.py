"""Instances that we did not start, found by where they listen: `kill $(lsof -ti :3001)`, but only the right process."""

from __future__ import annotations

import os

from proxyswitch.errors import Failed, ProxyswitchError, UsageError
from proxyswitch.model import Endpoint, ProcessId, Slot
from proxyswitch.system import net, proc, signals


def describe(pids: list[int]) -> str:
    """Who they are, for a message."""
    shown = [f"process {pid} ({title})" if (title := proc.title(pid)) else f"process {pid}" for pid in pids]
    return ", ".join(shown) or "a process that we may not see"


def holders(endpoint: Endpoint) -> list[int]:
    """Who listens there; of a master and workers that share the socket only the topmost."""
    pids = set(net.listeners(endpoint))
    return sorted(pid for pid in pids if pids.isdisjoint(proc.lineage(pid)[1:]))


def find(slot: Slot, slots: tuple[Slot, ...]) -> ProcessId | None:
    """The one process that listens in that slot. Raises ProxyswitchError where it must not be touched."""
    found = holders(slot.endpoint)
    if not found:
        if net.is_listening(slot.endpoint):
            what = f"slot {slot.name}: who listens at {slot.endpoint} cannot be seen: it is another user's process"
            raise UsageError(what, next_step="run it as that user, or with sudo")
        return None
    if len(found) > 1:
        raise _refusal(slot, found, "they are not one instance")
    _refuse_relatives(slot, found)
    for other in slots:
        if other.name != slot.name and any(found[0] in proc.lineage(p) for p in net.listeners(other.endpoint)):
            raise _refusal(slot, found, f"it also listens in slot {other.name} ({other.endpoint})")
    return proc.identify(found[0])


def _refuse_relatives(slot: Slot, found: list[int]) -> None:
    if found[0] == 1:
        raise _refusal(slot, found, "it is the first process of this machine or container")
    if found[0] in proc.lineage(os.getpid()):
        raise _refusal(slot, found, "this command itself runs inside it")


def _refusal(slot: Slot, pids: list[int], why: str) -> ProxyswitchError:
    return Failed(
        f"slot {slot.name}: {describe(pids)} listens at {slot.endpoint} and is not touched: {why}",
        next_step="stop it by hand",
    )


class Adopted:
    """That process, and those that share its listening socket: its workers."""

    def __init__(self, top: ProcessId, endpoint: Endpoint) -> None:
        self._top, self._endpoint = top, endpoint
        self._known = {top}

    def members(self) -> list[ProcessId]:
        listening = net.listeners(self._endpoint)
        ours = {p.pid for p in self._known if proc.alive(p)}
        sharing = (proc.identify(pid) for pid in listening if not ours.isdisjoint(proc.lineage(pid)))
        self._known |= {p for p in sharing if p}
        return [p for p in self._known if proc.alive(p) and (p == self._top or p.pid in listening)]

    def ask(self, signum: int) -> None:
        self.members()  # while the top one lives, its workers can be told from strangers
        signals.send(self._top, signum)

    def kill(self) -> None:
        for process in self.members():
            signals.send(process, signals.KILL)
