"""A pass names an upstream together with a port: nginx refuses the config.

The ports stand in the server lines of the upstream. nginx says that the upstream "may not have port".

FAIL
    upstream app { server 127.0.0.1:3001; }
    server { location / { proxy_pass http://app:3001; } }

PASS
    upstream app { server 127.0.0.1:3001; }
    server {
        location / { proxy_pass http://app; }
        location /other { proxy_pass http://app2.example.com:3001; }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.conf.text import Edit, Span
from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import addresses, passes
from proxyswitch.lint.nginx.passes import Pass
from proxyswitch.lint.nginx.tree import Config, Upstream

ID = "nginx/port-on-pool"
LEVEL: Level = "error"
DEFAULTS = {"http": "80", "https": "443"}


def check(config: Config) -> Iterator[Found]:
    for use in passes.all_of(config):
        upstream = config.upstream(use.host, use.context) if use.port and not use.variable else None
        if upstream:
            message = f"{use.host} is an upstream: it has its ports in its server lines, so {use.port} must go"
            yield use.item.found(message, *_fixes(config, use, upstream), word=1)


def _fixes(config: Config, use: Pass, upstream: Upstream) -> Iterator[Edit]:
    """The port away, where it is certain that the pool is meant, and not another machine of that name."""
    ports = {address.port for address in addresses.of(config, upstream)}
    word = use.item.document.data[slice(*use.item.directive.words[1])]
    port = f"{use.host}:{use.port}".encode()
    if word.count(port) == 1 and (use.port in ports or use.port == DEFAULTS.get(use.scheme.lower())):
        start = use.item.word(1) + word.index(port) + len(use.host.encode())
        yield Edit(Span(start, start + 1 + len(use.port)), b"")
