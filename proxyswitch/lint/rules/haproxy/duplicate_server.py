"""Two servers of a pool have the same name: HAProxy refuses the config.

Up to 1.9 it only warned (CHANGELOG, 2.0-dev5); and it takes servers with an `id` of their own (`check_config_validity`,
src/cfgparse.c). The names of a `server-template` count too: `app 1-3` is app1, app2 and app3.

FAIL
    backend app
        server app1 127.0.0.1:3001 check
        server app1 127.0.0.1:3002 check

FAIL
    backend app
        server-template app 3 127.0.0.1:3001
        server app2 127.0.0.1:3002

PASS
    backend app
        server app1 127.0.0.1:3001 check
        server app2 127.0.0.1:3002 check

    backend web
        server app1 127.0.0.1:3001 check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy, ProxyServer

ID = "haproxy/duplicate-server"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for pool in config.judged:
        if len(pool.names) < len(pool.servers):
            yield from _of(pool)


def _of(pool: Proxy) -> Iterator[Found]:
    """The first name of each line that is taken."""
    seen: dict[str, ProxyServer] = {}
    told: set[int] = set()
    for server in (server for server in pool.servers if "id" not in server.said):
        name = server.server.name
        first = seen.setdefault(name, server)
        number = server.row.line.number
        if first is not server and number not in told and "$" not in name:
            told.add(number)
            yield server.row.found(f"{pool.name} has a server {name} already, in line {first.row.line.number}", word=1)
