"""The old side of a change: the sessions that servers still have which are out, in every worker that may hold them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from proxyswitch import durations
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint, ProcessId, ServerState
from proxyswitch.proxies.base import Left
from proxyswitch.proxies.haproxy_socket import (
    Denied,
    Master,
    Processes,
    Runtime,
    ServerRow,
    SocketError,
    Unreachable,
    WorkerGone,
)
from proxyswitch.system import clock, net, proc

AGES_EVERY = 1.0  # seconds: a list of all sessions costs HAProxy more than a look at its counters
QUIET = 2  # seconds without a request until a server may go into maintenance that cuts sessions


class OldSide(NamedTuple):
    """Servers that are out, as (pool, server); what a live server has left, as (endpoint, pool, server); workers from
    before a reload.

    `keeps` tells of a pool what brings clients back to a server that only drains.
    """

    servers: tuple[tuple[str, str], ...] = ()
    moved: tuple[tuple[str, str, str], ...] = ()
    workers: tuple[ProcessId, ...] = ()
    keeps: tuple[tuple[str, str], ...] = ()


def as_data(old: OldSide) -> dict[str, Any]:
    """For a journal."""
    return {key: [list(v) if isinstance(v, tuple) else v for v in value] for key, value in old._asdict().items()}


def from_data(data: dict[str, Any] | None) -> OldSide:
    """The reverse; nothing is an old side that has drained."""
    return (
        OldSide()
        if not data
        else OldSide(
            tuple((pool, server) for pool, server in data["servers"]),
            tuple((at, pool, server) for at, pool, server in data["moved"]),
            tuple(ProcessId(*pair) for pair in data["workers"]),
            tuple((pool, what) for pool, what in data["keeps"]),
        )
    )


class Watcher:
    """Looks at an old side. `runtime` is the current worker, `master` the master socket where there is one.

    `spared` are servers whose sessions maintenance cuts, as (pool, server).
    """

    def __init__(self, runtime: Runtime | None, master: Master | None, spared: set[tuple[str, str]]) -> None:
        self.runtime, self.master, self.spared = runtime, master, spared
        self.ages = ""
        self.asked = float("-inf")

    def left(self, old: OldSide) -> Left | None:
        """What is still there; None when nothing is. A socket that does not answer for a moment counts as something."""
        try:
            counts = dict(self._counts(old))
        except (SocketError, Denied) as error:
            return Left(1, f"HAProxy cannot be asked at the moment ({error.what})")
        total = sum(counts.values())
        if not total:
            return None
        return Left(total, ", ".join(text for text, count in counts.items() if count) + self._oldest(old))

    def _counts(self, old: OldSide) -> Iterator[tuple[str, int]]:
        """What holds the old side, in words, and how many they are."""
        workers = self._workers()
        for pool, server in old.servers:
            count = sum(self._of(runtime, pool, server) for _, runtime in workers)
            yield f"{count} {_sessions(count)} on {pool}/{server}", count
            for pid, runtime in workers:
                loose = self._loose(runtime, lambda row: row.server == server, pool) if pid else 0  # noqa: B023
                yield _sends(pid, f"{pool}/{server}", loose), loose
            if self._comes_back(old, pool, server):
                yield f"clients that {dict(old.keeps)[pool]} keeps on {pool}/{server}", 1
        unseen = self._unseen(old)
        pids = ", ".join(str(w.pid) for w in unseen)
        yield f"old workers (pid {pids}), which only a master socket could tell of", len(unseen)
        for text in dict.fromkeys(text for text, _, _ in old.moved):
            yield from self._at(Endpoint.parse(text), workers)

    def _at(self, endpoint: Endpoint, workers: list[tuple[int, Runtime]]) -> Iterator[tuple[str, int]]:
        """Sessions at the old address. Connections that wait there for a request count as well: a server that moves takes
        those along that are in use at that moment, and HAProxy gives them later requests too."""
        kept = net.connections([endpoint])[endpoint]
        count = _sessions_at(endpoint, workers)
        yield f"{count} {_sessions(count)} at {endpoint}", count
        yield f"{kept} {_kept(kept)} to {endpoint}, which may carry another request", 0 if count else kept
        for pid, runtime in workers:
            loose = self._loose(runtime, lambda row: _is_at(row, endpoint)) if pid else 0
            yield _sends(pid, str(endpoint), loose), loose

    def release(self, old: OldSide) -> None:
        """Have the connections closed that wait at an address which a server has left.

        A change of its address closes the idle ones (`srv_cleanup_connections` in HAProxy's src/server.c), and misses those
        in use at that moment. So the server gets the same address once more, as IPv6 spells it (RFC 4291, 2.5.5.2), and
        back. There is no other spelling of an IPv6 address: its connections are waited for.
        """
        for text, pool, name in old.moved:
            endpoint, workers = Endpoint.parse(text), self._workers()
            if net.connections([endpoint])[endpoint] and not _sessions_at(endpoint, workers):
                self._spelt_twice(pool, name)

    def _spelt_twice(self, pool: str, name: str) -> None:
        row = self.runtime.server(pool, name) if self.runtime else None
        if self.runtime and row and _can_move(row) and ":" not in row.address:
            try:
                self.runtime.set_address(pool, name, Endpoint(f"::ffff:{row.address}", row.port))
            finally:
                self.runtime.set_address(pool, name, Endpoint(row.address, row.port))

    def left_addresses(self, rows: list[ServerRow]) -> tuple[tuple[str, str, str], ...]:
        """Where ready servers were before, as far as sessions are there still, or old workers that would send some there."""
        now = {(row.backend, row.server): Endpoint(row.address, row.port) for row in rows if _can_move(row)}
        found: dict[tuple[str, str, str], None] = {}
        for pid, runtime in self._workers():
            with contextlib.suppress(WorkerGone, Denied):
                seen = runtime.places()
                if pid:
                    old = [row for row in runtime.servers() if _can_move(row)]
                    seen += [(row.backend, row.server, Endpoint(row.address, row.port)) for row in old]
                found |= {(str(at), pool, name): None for pool, name, at in seen if now.get((pool, name), at) != at}
        return tuple(found)

    def _workers(self) -> list[tuple[int, Runtime]]:
        """Everyone who may hold sessions, old workers with their pid: the admin socket is that of the current one.

        All by one list of the master, so that of a reload in between nobody is missed.
        """
        told = self._told()
        if self.master is None or told is None:
            return [(0, self.runtime)] if self.runtime else []
        current = [(0, self.master.worker(w.pid)) for w in told.workers]
        return current + [(w.pid, self.master.worker(w.pid)) for w in told.old]

    def _told(self) -> Processes | None:
        """All workers, as the master tells; None where there is none that we may ask."""
        try:
            return self.master.processes() if self.master else None
        except Unreachable as error:
            if isinstance(error.__cause__, PermissionError):
                return None
            raise

    def _unseen(self, old: OldSide) -> list[ProcessId]:
        """Workers from before whose sessions nobody tells. Asked last: who was reloaded away meanwhile is among them."""
        living = [w for w in old.workers if proc.alive(w)]
        if not living or self._told() is not None:
            return []
        answers = self.runtime.info().get("Pid") if self.runtime else ""
        return [w for w in living if str(w.pid) != answers]

    @staticmethod
    def _of(runtime: Runtime, pool: str, server: str) -> int:
        try:
            stat = runtime.stat(pool, server)
        except WorkerGone:
            return 0
        return stat.scur + stat.qcur if stat else 0

    @staticmethod
    def _loose(runtime: Runtime, among: Callable[[ServerRow], bool], pool: str = "") -> int:
        """The clients of an old worker that have no server yet, where such a server is ready in that worker.

        It gives them what it had when it was replaced: an old worker cannot be told anything any more.
        """
        try:
            ready = [row for row in runtime.servers(pool) if among(row) and row.state is ServerState.READY]
            return runtime.loose() if ready else 0
        except WorkerGone:
            return 0

    def _comes_back(self, old: OldSide, pool: str, server: str) -> bool:
        """True while clients keep coming to a server that cannot go into maintenance without cutting one of them."""
        if pool not in dict(old.keeps) or (pool, server) not in self.spared or not self.runtime:
            return False
        row = self.runtime.server(pool, server)
        return row is not None and row.state is ServerState.DRAIN and not self._quiet(self.runtime, pool, server)

    def _quiet(self, runtime: Runtime, pool: str, server: str) -> bool:
        stat = runtime.stat(pool, server)
        return stat is None or (stat.scur + stat.qcur == 0 and not 0 <= stat.last < QUIET)

    def _oldest(self, old: OldSide) -> str:
        if clock.now() - self.asked >= AGES_EVERY:
            self.asked = clock.now()
            ages = [self._age(pool, server) for pool, server in old.servers]
            self.ages = f" (the oldest for {durations.show(max(ages))})" if any(ages) else ""
        return self.ages

    def _age(self, pool: str, server: str) -> int:
        try:
            return max((runtime.sessions(pool, server).oldest for _, runtime in self._workers()), default=0)
        except (Failed, UsageError):  # a detail of a message: an operator's socket may not ask
            return 0

    def press(self, old: OldSide) -> str:
        """Put servers that clients stick to into maintenance: requests under way are finished. Who was made ready since
        is left alone, and so are those whose sessions that would cut, until they are quiet."""
        keeps, done, runtime = dict(old.keeps), [], self.runtime
        for pool, server in old.servers:
            if pool in keeps and runtime and self._may_press(runtime, pool, server):
                runtime.set_state(pool, server, ServerState.MAINT)
                done.append(f"{keeps[pool]} keeps clients on {pool}/{server}: it goes into maintenance")
        return "; ".join(done)

    def _may_press(self, runtime: Runtime, pool: str, server: str) -> bool:
        row = runtime.server(pool, server)
        if row is None or row.state is not ServerState.DRAIN:
            return False
        return (pool, server) not in self.spared or self._quiet(runtime, pool, server)

    def cut(self, old: OldSide) -> str:
        """End the sessions of servers that are still out."""
        done = []
        for pool, server in old.servers:
            row = self.runtime.server(pool, server) if self.runtime else None
            if row and row.state is not ServerState.READY:
                for pid, runtime in self._workers():
                    with contextlib.suppress(WorkerGone):
                        runtime.shutdown_each(pool, server) if pid else runtime.shutdown_sessions(pool, server)
                done.append(f"{pool}/{server}")
        return f"time is up: the sessions on {', '.join(done)} are ended" if done else ""


def _sends(pid: int, where: str, count: int) -> str:
    clients = "client" if count == 1 else "clients"
    return f"{count} {clients} of an old worker (pid {pid}), which may send their next request to {where}"


def _sessions_at(endpoint: Endpoint, workers: list[tuple[int, Runtime]]) -> int:
    everywhere = _all(endpoint)
    return sum(at in everywhere for _, runtime in workers for at in _places(runtime))


def _places(runtime: Runtime) -> list[Endpoint]:
    try:
        return [at for _, _, at in runtime.places()]
    except WorkerGone:
        return []


def _can_move(row: ServerRow) -> bool:
    return row.state is ServerState.READY and bool(row.address and row.port)


def _is_at(row: ServerRow, endpoint: Endpoint) -> bool:
    """Of unix sockets HAProxy does not tell which."""
    return row.port == endpoint.port and row.address in (net.addresses(endpoint.host) if endpoint.host else {""})


def _all(endpoint: Endpoint) -> set[Endpoint]:
    """The same address in each form in which HAProxy may tell it. Of unix sockets it does not tell which."""
    return {Endpoint(host, endpoint.port) for host in net.addresses(endpoint.host)} if endpoint.host else set()


def _sessions(count: int) -> str:
    return "session" if count == 1 else "sessions"


def _kept(count: int) -> str:
    return "connection" if count == 1 else "connections"
