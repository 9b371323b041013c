"""Maintenance of a server cuts the requests that it is still answering.

`on-marked-down shutdown-sessions` closes them all as soon as the server is down or in maintenance, so a switch or a drain
ends with broken answers. It is not judged in tcp mode, where it is a usual choice for databases.

FAIL
    backend app
        mode http
        default-server check on-marked-down shutdown-sessions
        server app1 127.0.0.1:3001

PASS
    backend app
        mode http
        server app1 127.0.0.1:3001 check

PASS
    backend db
        mode tcp
        server db1 127.0.0.1:5432 check on-marked-down shutdown-sessions
        server db2 127.0.0.1:5433 check backup
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config
from proxyswitch.lint.haproxy.names import named

ID = "haproxy/marked-down-cuts"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    for pool in config.judged:
        cut = [server for server in pool.servers if "on-marked-down" in server.said] if pool.mode == "http" else []
        cut = [server for server in cut if server.said["on-marked-down"] == "shutdown-sessions"]
        if cut:
            what = "maintenance cuts requests in flight (on-marked-down shutdown-sessions)"
            yield cut[0].row.found(f"{pool.name}: {what} of {named(cut)}")
