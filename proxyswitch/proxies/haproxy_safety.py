"""Will somebody answer after a change? HAProxy gives a server that becomes ready traffic at once, before any check, and lets
the last live server be drained: both end in 503."""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint, Server, ServerState
from proxyswitch.proxies.base import Candidate
from proxyswitch.proxies.haproxy_socket import ServerRow
from proxyswitch.proxies.haproxy_wishes import Wish, address_met
from proxyswitch.system import net

CONNECT_TIMEOUT = 3.0  # seconds
RUNNING = 2  # `op_state` of `show servers state`


def check(candidate: Candidate, wishes: list[Wish], rows: dict[str, ServerRow]) -> None:
    """Raise Failed when a server that is to take traffic does not answer, UsageError when nobody would be left."""
    silent = list(_silent(candidate, wishes, rows))
    if silent:
        raise Failed(
            f"{'; '.join(silent)}: it would get requests at once",
            next_step="start it first, or switch all the same with --force",
        )
    if wishes and not _somebody_answers(wishes, rows):
        raise UsageError(
            f"that would leave {candidate.pool.name} without a server that is up: every request would fail with 503",
            next_step="make another server ready first, or do it all the same with --force",
        )


def _silent(candidate: Candidate, wishes: list[Wish], rows: dict[str, ServerRow]) -> Iterator[str]:
    """The servers that wake up, or move, to where nobody accepts a connection."""
    servers = {s.name: s for s in candidate.change.wanted}
    for wish in wishes:
        row = rows.get(wish.server)
        awake = row is not None and row.state is ServerState.READY and address_met(wish, row)
        if wish.state is ServerState.READY and not awake:
            reason = _refusal(servers[wish.server])
            if reason:
                yield f"nothing answers at {wish.server} ({servers[wish.server].address}): {reason}"


def _refusal(server: Server) -> str:
    """Why a connection to where HAProxy would check the server fails; empty when it does not."""
    endpoint = _checked_at(server)
    if endpoint is None:
        return ""
    try:
        with net.connect(endpoint, CONNECT_TIMEOUT):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _checked_at(server: Server) -> Endpoint | None:
    """Where to knock: where the requests go. None for an address that only HAProxy understands."""
    return server.endpoint


def _somebody_answers(wishes: list[Wish], rows: dict[str, ServerRow]) -> bool:
    """Those that wake up have just been asked; of the others HAProxy's own checks tell."""
    states = {wish.server: wish.state for wish in wishes}
    for name in {*states, *rows}:
        row = rows.get(name)
        if states.get(name, row.state if row else ServerState.MAINT) is not ServerState.READY:
            continue
        if row is None or row.state is not ServerState.READY or row.op_state == RUNNING or _unknown(row):
            return True
    return False


def _unknown(row: ServerRow) -> bool:
    """Without checks HAProxy takes every server for running."""
    return not row.check_state & 2
