"""What runs beside what the file says: states, sessions, checks, and each thing in which they disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxyswitch.errors import ProxyswitchError
from proxyswitch.model import Pool, Server
from proxyswitch.proxies import haproxy_states, haproxy_wishes
from proxyswitch.proxies.base import Seen
from proxyswitch.proxies.haproxy_socket import ServerRow, Stat

if TYPE_CHECKING:
    from proxyswitch.proxies.haproxy import Haproxy

Key = tuple[str, str]


def seen(proxy: Haproxy, pools: list[Pool]) -> dict[Key, Seen]:
    """What the running HAProxy tells of these pools. Raises what the socket raises."""
    assert proxy.runtime  # noqa: S101  # it is asked for only then
    rows = {(row.backend, row.server): row for row in proxy.runtime.servers()}
    stats = {(stat.backend, stat.server): stat for stat in proxy.runtime.stats()}
    names = {pool.name for pool in pools}
    found = {
        (p.name, s.name): _seen(s, rows.get((p.name, s.name)), stats.get((p.name, s.name))) for p in pools for s in p.servers
    }
    if not proxy.found.names:
        return {key: one._replace(differs=()) for key, one in found.items()}
    for key, row in rows.items():
        if row.backend in names and key not in found:
            found[key] = _alone(row, stats.get(key))
    for row, text in haproxy_states.outdated(proxy.known, proxy.folder, list(rows.values())):
        key = (row.backend, row.server)
        if key in found:
            found[key] = found[key]._replace(differs=(*found[key].differs, text))
    return found


def _seen(server: Server, row: ServerRow | None, stat: Stat | None) -> Seen:
    if row is None:
        return Seen(differs=("HAProxy does not have it: the file was changed since it was loaded",))
    return Seen(
        stat.scur if stat else None,
        str(row.state),
        row.weight,
        haproxy_wishes.place(row) if row.port else "",
        stat.status if stat else "",
        tuple(_differs(server, row)),
    )


def _differs(server: Server, row: ServerRow) -> list[str]:
    """A server that is out counts as out, however."""
    try:
        wish = haproxy_wishes.wish_of(server)
    except ProxyswitchError:  # a name that cannot be looked up now: HAProxy knew it when it started
        return []
    gentle = wish._replace(exactly=False)
    return [f"the file says {_said(server)}, and {text}" for text in haproxy_wishes.unmet(gentle, row)]


def _said(server: Server) -> str:
    return f"{'disabled' if server.down else 'ready'} at {server.address}, weight {server.weight}"


def _alone(row: ServerRow, stat: Stat | None) -> Seen:
    """A server that only the running process has."""
    seen = _seen(Server("", row.weight, name=row.server), row, stat)
    return seen._replace(differs=("only the running HAProxy has it: it is gone after a reload",))
