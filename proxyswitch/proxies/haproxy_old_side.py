"""The old side of a change: the sessions that servers still have which are out, in every worker that may hold them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from proxyswitch import durations
from proxyswitch.errors import ProxyswitchError
from proxyswitch.model import Endpoint, ProcessId, ServerState
from proxyswitch.proxies.base import Left
from proxyswitch.proxies.haproxy_socket import Master, Runtime, SocketError
from proxyswitch.system import clock, net, proc

AGES_EVERY = 1.0  # seconds: a list of all sessions costs HAProxy more than a look at its counters


class OldSide(NamedTuple):
    """Servers that are out, as (pool, server); endpoints that a live server has left; workers from before a reload.

    `keeps` tells of a pool what brings clients back to a server that only drains.
    """

    servers: tuple[tuple[str, str], ...] = ()
    moved: tuple[str, ...] = ()
    workers: tuple[ProcessId, ...] = ()
    keeps: tuple[tuple[str, str], ...] = ()


def as_data(old: OldSide) -> dict[str, Any]:
    """For a journal."""
    return {key: [list(v) if isinstance(v, tuple) else v for v in value] for key, value in old._asdict().items()}


def from_data(data: dict[str, Any]) -> OldSide:
    return OldSide(
        tuple((pool, server) for pool, server in data["servers"]),
        tuple(data["moved"]),
        tuple(ProcessId(*pair) for pair in data["workers"]),
        tuple((pool, what) for pool, what in data["keeps"]),
    )


class Watcher:
    """Looks at an old side. `runtime` is the current worker, `master` the master socket where there is one."""

    def __init__(self, runtime: Runtime | None, master: Master | None) -> None:
        self.runtime, self.master = runtime, master
        self.ages = ""
        self.asked = float("-inf")

    def left(self, old: OldSide) -> Left | None:
        """What is still there; None when nothing is. A socket that does not answer for a moment counts as something."""
        try:
            counts = dict(self._counts(old))
        except SocketError as error:
            return Left(1, f"HAProxy cannot be asked at the moment ({error.what})")
        total = sum(counts.values())
        if not total:
            return None
        named = ", ".join(f"{count} {_sessions(count)} on {where}" for where, count in counts.items() if count)
        return Left(total, named + self._oldest(old))

    def _counts(self, old: OldSide) -> Iterator[tuple[str, int]]:
        living = [w for w in old.workers if proc.alive(w)]
        for pool, server in old.servers:
            yield f"{pool}/{server}", sum(self._of(r, pool, server) for r in self._asked(living))
        unseen = [] if self.master else living
        yield (
            f"old workers (pid {', '.join(str(w.pid) for w in unseen)}), which only the master socket could tell of",
            len(unseen),
        )
        for text in old.moved:
            endpoint = Endpoint.parse(text)
            yield text, net.connections([endpoint])[endpoint]

    def _asked(self, living: list[ProcessId]) -> list[Runtime]:
        """Everyone who may hold sessions: after a reload the admin socket belongs to the new worker alone."""
        current = [self.runtime] if self.runtime else []
        return current + ([self.master.worker(w.pid) for w in living] if self.master else [])

    @staticmethod
    def _of(runtime: Runtime, pool: str, server: str) -> int:
        from proxyswitch.proxies.haproxy_socket import WorkerGone

        try:
            stat = runtime.stat(pool, server)
        except WorkerGone:
            return 0
        return stat.scur + stat.qcur if stat else 0

    def _oldest(self, old: OldSide) -> str:
        if clock.now() - self.asked >= AGES_EVERY:
            self.asked = clock.now()
            ages = [self._age(pool, server) for pool, server in old.servers]
            self.ages = f" (the oldest for {durations.show(max(ages))})" if any(ages) else ""
        return self.ages

    def _age(self, pool: str, server: str) -> int:
        try:
            return self.runtime.sessions(pool, server).oldest if self.runtime else 0
        except ProxyswitchError:  # a detail of a message: an operator's socket may not ask
            return 0

    def press(self, old: OldSide, spared: set[tuple[str, str]]) -> str:
        """Put servers that clients stick to into maintenance: requests under way are finished. Who was made ready since
        is left alone, and so are `spared` ones as long as they have sessions, which that would cut."""
        keeps, done, runtime = dict(old.keeps), [], self.runtime
        for pool, server in old.servers:
            if pool in keeps and runtime and self._may_press(runtime, pool, server, (pool, server) in spared):
                runtime.set_state(pool, server, ServerState.MAINT)
                done.append(f"{keeps[pool]} keeps clients on {pool}/{server}: it goes into maintenance")
        return "; ".join(done)

    def _may_press(self, runtime: Runtime, pool: str, server: str, spared: bool) -> bool:
        row = runtime.server(pool, server)
        if row is None or row.state is not ServerState.DRAIN:
            return False
        return not spared or not self._of(runtime, pool, server)

    def cut(self, old: OldSide) -> str:
        """End the sessions of servers that are still out."""
        done = []
        for pool, server in old.servers:
            row = self.runtime.server(pool, server) if self.runtime else None
            if row and row.state is not ServerState.READY:
                for runtime in self._asked([w for w in old.workers if proc.alive(w)]):
                    runtime.shutdown_sessions(pool, server)
                done.append(f"{pool}/{server}")
        return f"time is up: the sessions on {', '.join(done)} are ended" if done else ""


def _sessions(count: int) -> str:
    return "session" if count == 1 else "sessions"
