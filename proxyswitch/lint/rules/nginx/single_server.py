"""A pool has a single server: when that fails, every request does.

nginx tries the next server after a failure, and there is none. With a second one, also as `backup`, a request that could
not connect is answered all the same. A name may stand for several addresses, and is not judged; nor is a pool with a server
that is `down`: there two versions take turns.

FAIL
    upstream app {
        server 127.0.0.1:3001;
    }

PASS
    upstream app {
        server 127.0.0.1:3001;
        server 127.0.0.1:3002 backup;
    }

PASS
    upstream app {
        server 127.0.0.1:3001;
        server 127.0.0.1:3002 down;
    }

PASS
    upstream app {
        server app.example.com:3001;
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import addresses
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/single-server"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    for upstream in config.upstreams:
        servers = addresses.of(config, upstream)
        if len(servers) == 1 and not upstream.block.hidden and not servers[0].named and not servers[0].line.server.down:
            yield upstream.item.found(f"{upstream.name} has one server: when it fails, there is no other to try")
