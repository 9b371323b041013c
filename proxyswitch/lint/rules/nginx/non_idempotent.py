"""Requests that change something are sent again to another server after a failure.

`non_idempotent` lets nginx repeat a POST that the first server may have done already: an order is placed twice. A request
that was never sent is tried elsewhere without it.

FAIL
    location / {
        proxy_next_upstream error timeout non_idempotent;
        proxy_pass http://app;
    }

PASS
    location / {
        proxy_next_upstream error timeout http_502;
        proxy_pass http://app;
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/non-idempotent"
LEVEL: Level = "warning"
NAMES = tuple(b"%s_next_upstream" % kind for kind in (b"proxy", b"grpc", b"fastcgi", b"uwsgi", b"scgi"))


def check(config: Config) -> Iterator[Found]:
    for item in config.uses(*NAMES):
        if "non_idempotent" in item.args and "off" not in item.args:
            message = "non_idempotent sends a POST again that a server may have done already: take it out"
            yield item.found(message, word=item.args.index("non_idempotent") + 1)
