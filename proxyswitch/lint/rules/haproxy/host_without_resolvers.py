"""A server is a host name without `resolvers`: it is looked up once, when HAProxy starts.

A later change of the name is not seen before the next reload. Where the lookup fails at the start, even of a server that is
disabled, HAProxy does not start at all, unless `init-addr last,libc,none` says otherwise.

FAIL
    backend app
        server app1 app.internal:3001 check

PASS
    backend app
        server app1 app.internal:3001 check resolvers dns init-addr last,libc,none

PASS
    backend app
        server app1 127.0.0.1:3001 check
        server app2 localhost:3002 check
        server app3 "${APP_HOST}:3003" check
        server app4 unix@/run/app.sock check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.address import host_name
from proxyswitch.lint.haproxy.config import Config, Proxy, ProxyServer

ID = "haproxy/host-without-resolvers"
LEVEL: Level = "info"
_FAILS = "the lookup is done once, and HAProxy does not start when it fails: add `resolvers`, or `init-addr last,libc,none`"
_STAYS = "the lookup is done once, and a server whose lookup fails stays out: add `resolvers`"


def check(config: Config) -> Iterator[Found]:
    for pool in config.judged:
        if server := _first(pool):
            what = _STAYS if "none" in _ways(server) else _FAILS
            at = 3 if server.line.template else 2
            yield server.row.found(f"{pool.name}: {host_name(server.server.address)}: {what}", word=at)


def _first(pool: Proxy) -> ProxyServer | None:
    """The first server that is looked up once; not one that is given an address for the start."""
    return next(
        (
            server
            for server in pool.lines
            if "resolvers" not in server.said
            and host_name(server.server.address)
            and _ways(server) <= {"last", "libc", "none", ""}
        ),
        None,
    )


def _ways(server: ProxyServer) -> set[str]:
    return set(server.said.get("init-addr", "").split(","))
