"""All servers of a pool are backups: the first that is up takes everything.

HAProxy uses one backup server at a time, in the order of the lines, so the others idle. With `option allbackups` it shares
the load among them; without `backup` it does so anyway.

FAIL
    backend app
        server app1 127.0.0.1:3001 check backup
        server app2 127.0.0.1:3002 check backup

PASS
    backend app
        server app1 127.0.0.1:3001 check
        server app2 127.0.0.1:3002 check backup

PASS
    backend app
        option allbackups
        server app1 127.0.0.1:3001 check backup
        server app2 127.0.0.1:3002 check backup
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config

ID = "haproxy/only-backup"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    for pool in config.judged:
        if len(pool.on) > 1 and all(server.server.backup for server in pool.on) and not pool.option("allbackups"):
            first = pool.on[0].server.name
            yield pool.on[0].row.found(
                f"{pool.name} has backup servers only: {first} takes all while it is up, the others idle"
            )
