"""Everything that init looks at. It reads, and asks live instances on loopback for a page; it changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from proxyswitch import health
from proxyswitch.model import MAX_PORT, Endpoint, Pool
from proxyswitch.proposal import look_docker, look_pm2, look_proxies, look_units
from proxyswitch.proposal.look_listeners import Listeners
from proxyswitch.proposal.seen import Asked, ProxySeen, Seen
from proxyswitch.proxies.base import Options
from proxyswitch.system import listening, net
from proxyswitch.system.listening import Table

PATHS = ("/health", "/healthz", "/up", "/")
GOOD = frozenset(range(200, 300))
PATIENCE = 2.0
NEAR, OWN = 200, 1024  # below that a port is for root


def look(options: Mapping[str, Options], folder: Path, units: Iterable[tuple[str, str]] = look_units.FOLDERS) -> Seen:
    """What is to be seen from here. Raises Several where it cannot be told which proxy is meant."""
    proxies, notes = look_proxies.look(options)
    known, table = look_units.units(units), listening.table()
    ends = _endpoints(proxies)
    remote = frozenset(host for host in {e.host for e in ends if e.host} if not net.is_ours(host))
    near = [e for e in ends if e.host not in remote]
    listeners = Listeners(table, known)
    found = tuple(seen for e in near if (seen := listeners.at(e)))
    services, unasked = look_docker.running()
    described, unread = look_pm2.ecosystem(folder)
    return Seen(
        tuple(proxies),
        found,
        known,
        (*services, *look_docker.described(folder)),
        tuple(described),
        asked={e: tuple(_ask(e)) for e in _live(proxies) if e in near and table.taken(e)},
        remote=remote,
        free=_free(near, set(ends), table),
        root=os.geteuid() == 0,
        notes=(*notes, *listeners.notes, *unasked, *unread),
    )


def _endpoints(proxies: Iterable[ProxySeen]) -> list[Endpoint]:
    """Where the pools send traffic, each once."""
    ends = (server.endpoint for proxy in proxies for pool in proxy.pools for server in pool.servers)
    return list(dict.fromkeys(e for e in ends if e))


def _live(proxies: Iterable[ProxySeen]) -> list[Endpoint]:
    """Where a live instance can be asked for a page: on this machine alone, and only where the pool carries HTTP."""
    pools: list[Pool] = [pool for proxy in proxies for pool in proxy.pools if pool.context == "http"]
    ends = (server.endpoint for pool in pools for server in pool.live[:1])
    return list(dict.fromkeys(e for e in ends if e and (e.path or _is_loopback(e.host))))


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    found = net.addresses(host)
    return bool(found) and all(ip_address(address).is_loopback for address in found)


def _ask(at: Endpoint) -> Iterable[Asked]:
    """Until one answers well, or none comes at all."""
    where = f"unix://{at.path}:" if at.path else f"http://{at}"
    for path in PATHS:
        answer = health.probe(health.Check(f"{where}{path}", GOOD, timeout=PATIENCE))
        yield Asked(path, answer.status, answer.healthy, answer.reason)
        if answer.healthy or answer.status is None:
            return


def _free(near: Iterable[Endpoint], used: set[Endpoint], table: Table) -> dict[Endpoint, Endpoint]:
    """For each address one near it that no pool names, and where nobody listens; each is given once."""
    found: dict[Endpoint, Endpoint] = {}
    taken = {e.port for e in used}
    for at in near:
        for place in _beside(at):
            if place not in used and (place.path or place.port not in taken) and not table.taken(place):
                found[at] = place
                taken.add(place.port)
                used.add(place)
                break
    return found


def _beside(at: Endpoint) -> Iterable[Endpoint]:
    if at.path:
        stem, dot, end = at.path.rpartition(".")
        names = [f"{stem}-{name}.{end}" if dot and "/" not in end else f"{at.path}-{name}" for name in ("green", "2", "3")]
        return [Endpoint(path=name) for name in names if not os.path.lexists(name)]
    ports = [*range(max(at.port + 1, OWN), max(at.port, OWN) + NEAR), *range(at.port - 1, max(at.port - NEAR, OWN - 1), -1)]
    return [Endpoint(at.host, port) for port in ports if port <= MAX_PORT]
