"""A request is passed to a single word that is no upstream: nginx takes it for the name of a machine.

It is looked up once, when nginx starts or reloads. When that fails, nginx refuses the config: so a restart depends on the
other machine or container. Write an upstream of that name, or a full name.

FAIL
    http {
        server { location / { proxy_pass http://app; } }
    }

PASS
    http {
        upstream app { server 127.0.0.1:3001; }
        server {
            location / { proxy_pass http://app; }
            location /old { proxy_pass http://old.example.com; }
            location /here { proxy_pass http://localhost; }
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import undefined
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/pass-to-host"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    for name in undefined.names(config):
        if not name.refused and not name.near:
            host = name.use.host
            message = f"there is no upstream {host}, so it is a host: nginx does not start when it cannot look it up"
            yield name.use.item.found(message, word=1)
