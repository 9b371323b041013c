"""A server has `max_conns`, but each worker of nginx counts for itself.

Without a `zone` the workers share no counters: with four of them a server gets up to four times the connections that the
line says.

FAIL
    worker_processes 4;
    events { }
    http {
        upstream app { server 127.0.0.1:3001 max_conns=100; }
    }

PASS
    worker_processes 4;
    events { }
    http {
        upstream app { zone app 64k; server 127.0.0.1:3001 max_conns=100; }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import workers
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/max-conns-zone"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    for upstream in workers.apart(config):
        limited = next((line for line in upstream.servers if _limit(line.server.params)), None)
        if limited:
            message = f"{upstream.name} has no zone: each worker counts max_conns for itself, so all together may open more"
            yield limited.item.found(message)


def _limit(params: tuple[str, ...]) -> bool:
    return any(param.startswith("max_conns=") and param != "max_conns=0" for param in params)
