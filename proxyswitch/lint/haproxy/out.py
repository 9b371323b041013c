"""Pools of which no server takes traffic by the config alone: what may put one in all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxyswitch.lint.haproxy.answers import stands_in
from proxyswitch.lint.haproxy.config import Config, Proxy
from proxyswitch.lint.haproxy.known import mode
from proxyswitch.lint.haproxy.uses import asked_about


def fate(config: Config, pool: Proxy) -> str:
    """What becomes of its clients when no server is in."""
    return "every connection is closed" if mode(config, pool) == "tcp" else "every request gets 503"


def state_file(pool: Proxy) -> bool:
    """Whether HAProxy reads states and weights from a file when it starts."""
    rows = pool.said(b"load-server-state-from-file")
    return bool(rows) and rows[-1].words[1:2] != ["none"]


def agents(pool: Proxy) -> bool:
    """Whether an agent of a server may put it in, or give it a weight."""
    return any("agent-check" in server.said for server in pool.servers)


def places(pool: Proxy) -> bool:
    """Whether its servers are places that another program fills: a template, or several at one address."""
    return any(server.line.template for server in pool.servers) or (
        len(pool.servers) > 1 and len({server.server.address for server in pool.servers}) == 1
    )


def unguarded(config: Config, pools: Iterable[Proxy]) -> Iterator[Proxy]:
    """Those of the pools that have no answer of their own, and that no rule asks about before it sends to them."""
    pools = [pool for pool in pools if not stands_in(pool)]
    asked = asked_about(config) if pools else set()
    return (pool for pool in pools if pool.name not in asked)
