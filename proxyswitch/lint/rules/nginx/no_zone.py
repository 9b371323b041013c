"""The server with the fewest connections is chosen, but each worker of nginx counts its own.

Without a `zone` the workers share no counters. With few requests for each worker, all of them choose the same server.

FAIL
    worker_processes auto;
    events { }
    http {
        upstream app { least_conn; server 127.0.0.1:3001; server 127.0.0.1:3002; }
    }

PASS
    worker_processes auto;
    events { }
    http {
        upstream app { zone app 64k; least_conn; server 127.0.0.1:3001; server 127.0.0.1:3002; }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import workers
from proxyswitch.lint.nginx.tree import Config, Upstream

ID = "nginx/no-zone"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    for upstream in workers.apart(config):
        if _counts(upstream) and sum(line.server.live for line in upstream.servers) > 1:
            name = upstream.name
            yield upstream.item.found(f"{name} has no zone: each worker counts its own connections (zone {name} 64k;)")


def _counts(upstream: Upstream) -> bool:
    random = any(item.args[:1] == ["two"] for item in upstream.block.own(b"random"))
    return random or bool(upstream.block.own(b"least_conn", b"least_time"))
