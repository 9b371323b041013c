"""A request is passed to a name for which there is no upstream, and that cannot be a host either.

Without an upstream of that name nginx takes it for a host. Where that needs a port nginx refuses the config: in all passes
but `proxy_pass` of http. There, a name is taken for a mistake when it is one slip away from an upstream.

FAIL
    http {
        upstream app_backend { server 127.0.0.1:3001; }
        server { location / { proxy_pass http://app_backnd; } }
    }

FAIL
    http {
        server { location / { fastcgi_pass php; } }
    }

PASS
    http {
        upstream app_backend { server 127.0.0.1:3001; }
        server {
            location / { proxy_pass http://app_backend; }
            location /old { proxy_pass http://old.example.com; }
            location /php { fastcgi_pass 127.0.0.1:9000; }
        }
    }

PASS
    server { location / { proxy_pass http://app_backend; } }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import undefined
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/upstream-undefined"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for name in undefined.names(config):
        if name.refused:
            else_ = f": did you mean {name.near}?" if name.near else ", and a host needs a port here"
            yield name.use.item.found(f"there is no upstream {name.use.host}{else_}", word=1)
        elif name.near:
            yield name.use.item.found(f"there is no upstream {name.use.host}: did you mean {name.near}?", word=1)
