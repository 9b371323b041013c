"""What HAProxy is to run of a server, compared with what it runs, and told.

A config only knows whether a server is in or out; the running process also knows how it is out. Whoever is out already in
one way counts as out, unless maintenance was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any, NamedTuple

from proxyswitch.model import Endpoint, Server, ServerState
from proxyswitch.proxies import haproxy_socket
from proxyswitch.proxies.haproxy_socket import Runtime, ServerRow
from proxyswitch.proxies.haproxy_tables import INHERITED_DRAIN, INHERITED_MAINT

STOPPED = 0  # `op_state` of `show servers state`
CHECKED = 0x02  # and in `check_state`
AGENT_ENABLED = 2  # CHK_ST_ENABLED of the agent check's state (src/check.c)


class Wish(NamedTuple):
    """How a server is to run. None leaves a thing as it is; `exactly` does not take one way of being out for another."""

    server: str
    state: ServerState
    weight: int | None = None
    endpoint: Endpoint | None = None
    exactly: bool = False


def wish_of(server: Server) -> Wish:
    """What a server line asks for."""
    endpoint = server.endpoint
    if endpoint and not endpoint.path and not _is_ip(endpoint.host):
        endpoint = haproxy_socket.resolve(endpoint)
    return Wish(server.name, server.state, server.weight, endpoint, exactly=server.state is ServerState.MAINT)


def wish_for(row: ServerRow) -> Wish:
    """To go back to exactly that."""
    endpoint = Endpoint(row.address, row.port) if row.address and row.port and _is_ip(row.address) else None
    return Wish(row.server, row.state, row.weight, endpoint, exactly=True)


def as_data(wish: Wish) -> list[Any]:
    """For a journal."""
    return [wish.server, str(wish.state), wish.weight, str(wish.endpoint or "")]


def from_data(data: list[Any]) -> Wish:
    """The reverse; such a wish goes back to exactly what was."""
    server, state, weight, address = data
    return Wish(server, ServerState(state), weight, Endpoint.parse(address) if address else None, exactly=True)


def unmet(wish: Wish, row: ServerRow) -> list[str]:
    """What of the wish is not so, in words."""
    found = []
    if not _state_met(wish, row):
        found.append(f"it runs as {row.state}, not as {wish.state}")
    if wish.weight not in (None, row.weight) and not row.agent_state & AGENT_ENABLED:
        found.append(f"its weight is {row.weight}, not {wish.weight}")
    if not address_met(wish, row):
        found.append(f"it runs at {place(row)}, not at {wish.endpoint}")
    return found


def _state_met(wish: Wish, row: ServerRow) -> bool:
    if row.state is wish.state:
        return True
    if row.admin_state & (INHERITED_DRAIN | INHERITED_MAINT):
        return wish.state is not ServerState.READY or not wish.exactly  # it follows the server that it tracks
    return ServerState.READY not in (row.state, wish.state) and not wish.exactly


def address_met(wish: Wish, row: ServerRow) -> bool:
    """A unix socket and a name are not told in a form that could be compared."""
    at = wish.endpoint
    if at is None or at.path or not _is_ip(row.address) or not _is_ip(at.host):
        return True
    return (ip_address(at.host), at.port) == (ip_address(row.address), row.port)


def _is_ip(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def place(row: ServerRow) -> str:
    """Where a server runs, in our spelling."""
    return str(Endpoint(row.address, row.port)) if row.address else "an address that it does not tell"


def tell(runtime: Runtime, pool: str, wishes: Iterable[Wish], rows: dict[str, ServerRow]) -> None:
    """Tell HAProxy what is not so yet: who comes in first, and only then who goes out. Raises what the socket raises."""
    for wish in sorted(wishes, key=lambda w: w.state is not ServerState.READY):
        row = rows.get(wish.server)
        if row:
            _tell(runtime, pool, wish, row)


def _tell(runtime: Runtime, pool: str, wish: Wish, row: ServerRow) -> None:
    moves = not address_met(wish, row)
    if wish.endpoint and moves:
        runtime.set_address(pool, wish.server, wish.endpoint)
    if wish.weight is not None and wish.weight != row.weight:
        runtime.set_weight(pool, wish.server, wish.weight)
    wakes = wish.state is ServerState.READY and (moves or not _state_met(wish, row))
    if wakes and row.op_state == STOPPED and row.state is not ServerState.MAINT:
        runtime.set_state(pool, wish.server, ServerState.MAINT)  # else it stays DOWN until its checks have passed again
    if wakes or not _state_met(wish, row):
        runtime.set_state(pool, wish.server, wish.state)
    if wakes and _waits(runtime.server(pool, wish.server)):
        runtime.set_health_up(pool, wish.server)


def _waits(row: ServerRow | None) -> bool:
    """With `init-state` (3.1 and later) a server that becomes ready is down until a check, and others are about to go out.
    We have asked it ourselves before. One without checks of its own follows an agent, or the server that it tracks."""
    return row is not None and row.state is ServerState.READY and row.op_state == STOPPED and bool(row.check_state & CHECKED)


def unlike(wishes: Iterable[Wish], rows: dict[str, ServerRow]) -> Iterator[str]:
    """What is not as wished, a line a server; one that HAProxy does not have is not as wished either."""
    for wish in wishes:
        row = rows.get(wish.server)
        found = unmet(wish, row) if row else ["HAProxy does not have it: the file was changed since it was loaded"]
        if found:
            yield f"{wish.server}: {'; '.join(found)}"
