"""All servers of an upstream are down: every request to it gets 502.

nginx accepts it, and then says `no live upstreams` at each request. A switch that has stopped half-way can leave this
behind.

FAIL
    upstream app {
        server 127.0.0.1:3001 down;
        server 127.0.0.1:3002 down;
    }

PASS
    upstream app {
        server 127.0.0.1:3001 down;
        server 127.0.0.1:3002 backup;
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import targets
from proxyswitch.lint.nginx.tree import Config, Upstream

ID = "nginx/all-down"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    parked = {upstream.item.directive for upstream in targets.unused(config)}
    for upstream in config.upstreams:
        if upstream.item.directive not in parked and not upstream.block.hidden and _down(upstream):
            what = "its server is down" if len(upstream.servers) == 1 else "all its servers are down"
            effect = "connection is closed" if upstream.context == "stream" else "request to it gets 502"
            yield upstream.item.found(f"{upstream.name}: {what}, so every {effect}")


def _down(upstream: Upstream) -> bool:
    """Whether no server takes requests. One with nothing but backups is another rule's, and code may choose by itself."""
    servers = [line.server for line in upstream.servers]
    if not all(server.down for server in servers) or all(server.backup for server in servers):
        return False
    return not any(item.name.startswith(b"balancer_by_lua") for item in upstream.block.items)
