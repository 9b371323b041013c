"""Two servers are both the default one of an address.

nginx refuses the whole config: `a duplicate default server`. One of the two must go without `default_server`.

FAIL
    http {
        server { listen 80 default_server; server_name a.example.com; }
        server { listen *:80 default_server; server_name b.example.com; }
    }

PASS
    http {
        server {
            listen 80 default_server;
            listen [::]:80 default_server;
        }
        server { listen 8080 default_server; }
        server { listen 80; server_name b.example.com; }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import listens
from proxyswitch.lint.nginx.tree import Block, Config

ID = "nginx/duplicate-default-server"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    first: dict[tuple[str, str], tuple[Block, listens.Listen]] = {}
    for context, block in listens.servers(config):
        for listen in listens.of(block):
            for address in listen.addresses if listen.default else ():
                other, before = first.setdefault((context, address), (block, listen))
                if other is not block:
                    where = before.item.document.where(before.item.directive)
                    yield listen.item.found(f"{listens.shown(address)} has a default server already, at {where}", word=1)
                    break
