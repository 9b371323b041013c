"""A directive is neither nginx's own, nor of a module that is known here.

It may be of a module that was built in. Without that module nginx refuses the whole config. Each name is told once.

FAIL
    server {
        frobnicate on;
    }

PASS
    server {
        brotli on;
        http3 on;
    }

PASS
    load_module modules/ngx_http_frobnicate_module.so;
    events {}
    http {
        frobnicate on;
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import spelling
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/directive-not-known"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    told: set[bytes] = set()
    for item, meant in spelling.unknown(config):
        name = item.name.decode("utf-8", "replace")
        if not (meant or spelling.no_name(name) or spelling.placeholder(name) or item.name in told):
            told.add(item.name)
            yield item.found(f"{name} is no directive of nginx itself: only with its module does nginx start")
