"""Will somebody answer after a change? HAProxy gives a server that becomes ready traffic at once, before any check, and lets
the last live server be drained: both end in 503."""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.conf.haproxy.checks import HttpCheck
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint, Server, ServerState, serving
from proxyswitch.proxies.base import Candidate
from proxyswitch.proxies.haproxy_socket import ServerRow
from proxyswitch.proxies.haproxy_wishes import Wish, address_met
from proxyswitch.system import net

TIMEOUT = 3.0  # seconds
SERVES = {1, 2}  # `op_state` of `show servers state`: with `slowstart` a server warms up first, and takes requests


def check(candidate: Candidate, wishes: list[Wish], rows: dict[str, ServerRow], ask: HttpCheck | None) -> None:
    """Raise Failed when a server that is to take traffic does not answer, UsageError when nobody would be left.

    `ask` is the pool's own check, where we can do it; else a connection is tried.
    """
    called = _called(candidate)
    silent = list(_silent(candidate, wishes, rows, called, ask))
    if silent:
        raise Failed(
            f"{'; '.join(silent)}: it would get requests at once",
            next_step="start it first, or switch all the same with --force",
        )
    if wishes and not _somebody_answers(wishes, rows, called):
        raise UsageError(
            f"that would leave {candidate.pool.name} without a server that is up: every request would fail with 503",
            next_step="make another server ready first, or do it all the same with --force",
        )


def _silent(
    candidate: Candidate, wishes: list[Wish], rows: dict[str, ServerRow], called: set[str], ask: HttpCheck | None
) -> Iterator[str]:
    """The servers that wake up, or move, to where nobody accepts a connection."""
    servers = {s.name: s for s in candidate.change.wanted}
    for wish in wishes:
        row = rows.get(wish.server)
        awake = row is not None and row.state is ServerState.READY and address_met(wish, row)
        if wish.state is ServerState.READY and (not awake or wish.server in called):
            server = servers[wish.server]
            reason = _refusal(server, ask)
            if reason:
                yield f"{server.name} ({server.address}) does not answer: {reason}"


def _called(candidate: Candidate) -> set[str]:
    """Servers that get another address, and backups that are to take the traffic: they were ready before, and had none."""
    moved = {c.after.name for c in candidate.change.servers if c.before and c.after and c.before.address != c.after.address}
    before = {s.name for s in serving("haproxy", candidate.pool.servers)}
    after = serving("haproxy", candidate.change.result(candidate.pool.servers).elements())
    return moved | ({s.name for s in after if s.backup} - before)


def _refusal(server: Server, ask: HttpCheck | None) -> str:
    """Why a server does not answer where requests go to; empty when it does, or has an address that only HAProxy reads."""
    endpoint = server.endpoint
    if endpoint is None:
        return ""
    own = {"ssl", "check-ssl", "port", "addr", "check-send-proxy", "send-proxy", "send-proxy-v2"}
    if ask and "check" in server.params and not own.intersection(server.params):
        return _http(endpoint, ask)
    try:
        with net.connect(endpoint, TIMEOUT):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _http(endpoint: Endpoint, ask: HttpCheck) -> str:
    """The pool's own check, asked by us. Once more after a failure: one alone may be a hiccup."""
    from proxyswitch import health

    url = f"unix://{endpoint.path}:{ask.path}" if endpoint.path else f"http://{endpoint}{ask.path}"
    check = health.Check(url, ask.statuses, host=ask.host, timeout=TIMEOUT)
    answer = health.probe(check)
    if not answer.healthy:
        answer = health.probe(check)
    return "" if answer.healthy else f"{answer.reason} (asked {ask.path}, as its health check does)"


def _somebody_answers(wishes: list[Wish], rows: dict[str, ServerRow], asked: set[str]) -> bool:
    """Those that wake up, or move, have just been asked; of the others HAProxy's own checks tell."""
    wished = {wish.server: wish for wish in wishes}
    for name in {*wished, *rows}:
        wish, row = wished.get(name), rows.get(name)
        if (wish or row or Wish(name, ServerState.MAINT)).state is not ServerState.READY:
            continue
        if (
            row is None
            or name in asked
            or (wish and not address_met(wish, row))
            or row.state is not ServerState.READY
            or row.op_state in SERVES
            or _unknown(row)
        ):
            return True
    return False


def _unknown(row: ServerRow) -> bool:
    """Without checks HAProxy takes every server for running."""
    return not row.check_state & 2
