"""Pools as the running HAProxy tells of them: alone, where no config is known, or in the place of what the file says."""

from __future__ import annotations

from dataclasses import replace

from proxyswitch.model import Endpoint, Pool, Server, ServerState, Where
from proxyswitch.proxies import haproxy_wishes
from proxyswitch.proxies.haproxy_socket import Runtime, ServerRow


def running(runtime: Runtime, where: str) -> list[Pool]:
    """All pools that it runs; `where` is the socket. Raises what the socket raises."""
    modes = {s.backend: s.mode for s in runtime.stats()}
    found: dict[str, list[Server]] = {}
    for row in runtime.servers():
        found.setdefault(row.backend, []).append(_server(row))
    return [Pool(n, "haproxy", modes.get(n, ""), tuple(s), Where(where, 0)) for n, s in found.items()]


def as_it_runs(pool: Pool, rows: dict[str, ServerRow]) -> Pool:
    """The pool of the file with what runs in its place, where that is another."""
    return replace(pool, servers=tuple(_as_it_runs(s, rows[s.name]) if s.name in rows else s for s in pool.servers))


def _server(row: ServerRow) -> Server:
    """A server of which nothing but the running process is known."""
    address = str(Endpoint(row.address, row.port)) if row.address and row.port else row.address
    out = row.state is not ServerState.READY
    return Server(address, row.weight, out, name=row.server, drain=row.state is ServerState.DRAIN)


def _as_it_runs(server: Server, row: ServerRow) -> Server:
    """The server line with what runs in its place, where that is another."""
    wish = haproxy_wishes.wish_of(server) if server.endpoint else None
    moved = wish is not None and not haproxy_wishes.address_met(wish, row)
    return replace(
        server,
        address=haproxy_wishes.place(row) if moved else server.address,
        weight=row.weight,
        down=row.state is not ServerState.READY,
        drain=row.state is ServerState.DRAIN,
    )
