"""There is no `stats socket`: no server can be drained or switched while HAProxy runs.

Each change needs a reload then, which forgets states and cuts idle clients. The socket of the master process, which is given
with `-S`, cannot be seen here.

FAIL
    global
        maxconn 1000

    frontend www
        bind 127.0.0.1:8080
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check

PASS
    global
        stats socket /run/haproxy/admin.sock mode 660 level admin

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

ID = "haproxy/no-stats-socket"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    if not config.whole or not config.pools or any(sockets(config)):
        return
    for head, _ in list(config.sections(b"global"))[:1]:
        yield head.found(
            "no stats socket: servers cannot be drained at run time;"
            " write: stats socket /run/haproxy/admin.sock mode 660 level admin"
        )
