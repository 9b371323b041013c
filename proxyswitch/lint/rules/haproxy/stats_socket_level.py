"""No stats socket has level admin: states and weights of servers cannot be set there.

The default level is operator, which may read everything and change next to nothing: HAProxy answers "Permission denied".

FAIL
    global
        stats socket /run/haproxy/admin.sock mode 660

    frontend www
        bind 127.0.0.1:8080
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check

PASS
    global
        stats socket /run/haproxy/admin.sock mode 660 level admin
        stats socket /run/haproxy/read.sock mode 666 level user

    frontend www
        bind 127.0.0.1:8080
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config
from proxyswitch.lint.haproxy.sockets import sockets

ID = "haproxy/stats-socket-level"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    found = list(sockets(config)) if config.whole else []
    if found and not any(one.level == "admin" or not one.plain for one in found):
        first = found[0]
        yield first.row.found(f"servers cannot be drained on a socket of level {first.level}: write level admin")
