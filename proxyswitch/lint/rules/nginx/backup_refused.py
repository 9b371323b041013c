"""A server is marked backup where the balancing method has none: nginx refuses the config.

`hash`, `ip_hash` and `random` know no backup. nginx notices it only when the method stands before the server.

FAIL
    upstream app {
        ip_hash;
        server 127.0.0.1:3001;
        server 127.0.0.1:3002 backup;
    }

PASS
    upstream app {
        least_conn;
        server 127.0.0.1:3001;
        server 127.0.0.1:3002 backup;
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.conf.nginx.pools import BALANCERS
from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import directives
from proxyswitch.lint.nginx.tree import Config, Upstream

ID = "nginx/backup-refused"
LEVEL: Level = "error"
WITHOUT = (b"hash", b"ip_hash", b"random")


def check(config: Config) -> Iterator[Found]:
    for upstream in config.upstreams:
        if upstream.block.own(*WITHOUT):
            yield from _refused(upstream)


def _refused(upstream: Upstream) -> Iterator[Found]:
    method = b""
    for item in upstream.block.items:
        if item.name in BALANCERS or not directives.known(item.name):  # one of a module may be a method too
            method = item.name
        elif item.name == b"server" and method in WITHOUT and "backup" in item.args[1:]:
            yield item.found(
                f"{upstream.name}: {method.decode()} takes no backup server", word=item.args.index("backup", 1) + 1
            )
