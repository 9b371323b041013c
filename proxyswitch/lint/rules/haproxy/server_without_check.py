"""A server has no health check: when it is dead, it keeps getting its share of the requests.

HAProxy takes a server out by itself only when `check`, `agent-check` or `track` tells it. Not judged are the only server of
a pool and a lone backup, for which there is no other; servers that are disabled; and those of `mode log`.

FAIL
    backend app
        server app1 127.0.0.1:3001
        server app2 127.0.0.1:3002

FAIL
    backend app
        default-server check
        server app1 127.0.0.1:3001
        server app2 127.0.0.1:3002 no-check

PASS
    backend app
        default-server check inter 2s
        server app1 127.0.0.1:3001
        server app2 127.0.0.1:3002

PASS
    backend app
        server app1 127.0.0.1:3001
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy, ProxyServer
from proxyswitch.lint.haproxy.names import is_are

ID = "haproxy/server-without-check"
LEVEL: Level = "warning"
_CHECKS = frozenset(("agent-check", "check", "track"))


def check(config: Config) -> Iterator[Found]:
    for pool in config.judged:
        if pool.mode != "log" and (blind := _blind(pool)):
            names = is_are(blind, "has", "have")
            yield blind[0].row.found(f"{pool.name}: {names} no check: a dead one keeps getting requests; write `check`")


def _blind(pool: Proxy) -> list[ProxyServer]:
    """Those in rotation that nobody looks at, where another could do their work."""
    blind = [server for server in pool.on if _CHECKS.isdisjoint(server.said)] if len(pool.on) > 1 else []
    if blind and sum(server.server.backup for server in pool.on) == 1:
        return [server for server in blind if not server.server.backup]
    return blind
