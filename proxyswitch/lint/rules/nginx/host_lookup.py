"""A server line has a host name: nginx looks it up once, when it starts or reloads.

When the address of that name changes later, nginx goes on with the old one; when the name cannot be looked up, nginx does
not start. Write an address, or from nginx 1.27.3 on `resolve`, with a `zone` and a `resolver`.

FAIL
    upstream app {
        server app.internal:3001;
    }

PASS
    upstream app {
        zone app 64k;
        resolver 10.0.0.2;
        server app.internal:3001 resolve;
        server 127.0.0.1:3001;
        server unix:/run/app.sock;
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import addresses
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/host-lookup"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    for address in addresses.all_of(config):
        if address.named and "resolve" not in address.line.server.params and not address.host.isdecimal():
            message = f"{address.host} is looked up once, when nginx starts: write an address, or resolve (nginx 1.27.3)"
            yield address.item.found(message, word=1)
