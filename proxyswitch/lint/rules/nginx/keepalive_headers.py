"""An upstream has `keepalive`, but what is passed to it asks to close each connection.

Before nginx 1.29.7, nginx speaks HTTP/1.0 to a server, and sends `Connection: close`, unless told otherwise. So no
connection is kept, and each request pays for a new one.

FAIL
    http {
        upstream app { server 127.0.0.1:3001; keepalive 8; }
        server { location / { proxy_pass http://app; } }
    }

PASS
    http {
        upstream app { server 127.0.0.1:3001; keepalive 8; }
        server {
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            location / { proxy_pass http://app; }
            location /live {
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection $connection_upgrade;
                proxy_pass http://app;
            }
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import kept
from proxyswitch.lint.nginx.tree import Block, Config

ID = "nginx/keepalive-headers"
LEVEL: Level = "warning"
VERSION, HEADER = b"proxy_http_version", b"proxy_set_header"


def check(config: Config) -> Iterator[Found]:
    for item, upstream in kept.passes(config, b"proxy_pass"):
        missing = [] if _asks_to_keep(item.block) else [*_version(item.block), *_header(item.block)]
        if missing:
            name, lacks = upstream.name, " and ".join(missing)
            yield item.found(f"{name} has keepalive, but before nginx 1.29.7 no connection is kept without {lacks}")


def _version(block: Block) -> Iterator[str]:
    if block.sure(VERSION) and all(item.args == ["1.0"] for item in block.effective(VERSION)):
        yield "proxy_http_version 1.1"


def _header(block: Block) -> Iterator[str]:
    if block.sure(HEADER) and all(value.lower() == "close" for value in _connection(block)):
        yield 'proxy_set_header Connection ""'


def _connection(block: Block) -> list[str]:
    args = [item.args for item in block.effective(HEADER)]
    return [words[1] for words in args if len(words) == 2 and words[0].lower() == "connection"]


def _asks_to_keep(block: Block) -> bool:
    """HTTP/1.0 has this too, as a header."""
    return any(value.lower() == "keep-alive" for value in _connection(block))
