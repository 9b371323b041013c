"""There is no worker_shutdown_timeout: after a reload, one open connection keeps an old worker for ever.

An old worker stays until its last request ends, and a websocket may last for days. Each reload leaves one more, with all its
memory, and a switch that waits for the old workers does not end. With `worker_shutdown_timeout 1h;` at the top level they
end at last, those clients being cut. It works from the next reload but one on: a worker goes by the config that it was
started with.

FAIL
    events {}
    http {
        server {
            location / { proxy_pass http://127.0.0.1:3001; }
        }
    }

PASS
    worker_shutdown_timeout 1h;
    events {}
    http {
        server {
            location / { proxy_pass http://127.0.0.1:3001; }
        }
    }

PASS
    server {
        location / { proxy_pass http://127.0.0.1:3001; }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import passes
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/no-worker-shutdown-timeout"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    if not config.complete(b"main") or config.root.own(b"worker_shutdown_timeout"):
        return
    if any(use.context == "http" for use in passes.all_of(config)):
        for item in config.root.own(b"http"):
            yield item.found("no worker_shutdown_timeout: an open websocket keeps an old worker for ever after a reload")
