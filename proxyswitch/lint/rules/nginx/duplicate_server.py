"""An upstream names the same server twice.

nginx counts each line for itself: the server gets a double share, and after a failure it is tried once more. A weight says
the first outright. A port that is not written is 80.

FAIL
    upstream app {
        server 127.0.0.1:3001;
        server 127.0.0.1:3001;
    }

FAIL
    upstream app {
        server app1.example.com;
        server app1.example.com:80 backup;
    }

PASS
    upstream app {
        server 127.0.0.1:3001;
        server 127.0.0.1:3002;
        server 127.0.0.1:3001 down;
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import addresses
from proxyswitch.lint.nginx.tree import Config, Upstream

ID = "nginx/duplicate-server"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    for upstream in config.upstreams:
        yield from _twice(config, upstream)


def _twice(config: Config, upstream: Upstream) -> Iterator[Found]:
    seen: dict[tuple[str, str], addresses.Address] = {}
    for address in addresses.of(config, upstream):
        server = address.line.server
        service = next((param for param in server.params if param.startswith("service=")), "")
        if not server.down:
            first = seen.setdefault((address.key, service), address).line.server
            if first is not server:
                effect = "is no other one to try" if server.backup != first.backup else "gets the share of two"
                yield address.item.found(f"{upstream.name} has {server.address} already: it {effect}", word=1)
