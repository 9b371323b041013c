"""nginx tells its version to everybody, in a header and on its error pages.

Whoever looks for servers with a known hole needs no more. `server_tokens off;` in http leaves the name only.

FAIL
    events {}
    http {
        server { listen 80; }
    }

PASS
    events {}
    http {
        server_tokens off;
        server { listen 80; }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx.tree import Block, Config

ID = "nginx/server-tokens"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    if config.uses(b"more_clear_headers", b"more_set_headers"):
        return
    servers = [block for block in config.blocks(b"server") if block.inside(b"http") and block.item]
    for http in config.root.blocks:
        if http.name == b"http" and http.item and any(_tells(server) for server in servers):
            yield http.item.found("nginx tells its version in each answer: server_tokens off")


def _tells(server: Block) -> bool:
    found = server.effective(b"server_tokens")
    return server.sure(b"server_tokens") and (not found or found[0].args == ["on"])
