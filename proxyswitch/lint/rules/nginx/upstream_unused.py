"""Nothing is passed to an upstream.

It may be left over, or the pass that was meant for it names another one. A switch of such a pool changes nothing.

FAIL
    http {
        upstream app { server 127.0.0.1:3001; }
        upstream old { server 127.0.0.1:3002; }
        server { location / { proxy_pass http://app; } }
    }

PASS
    http {
        upstream app_blue { server 127.0.0.1:3001; }
        upstream app_green { server 127.0.0.1:3002; }
        map $cookie_side $side { default blue; green green; }
        server { location / { proxy_pass http://app_$side; } }
    }

PASS
    upstream app { server 127.0.0.1:3001; }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import targets
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/upstream-unused"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    for upstream in targets.unused(config):
        yield upstream.item.found(f"nothing is passed to the upstream {upstream.name}")
