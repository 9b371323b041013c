"""A host is taken as the client wrote it: `$http_host` is the header itself, checked by nobody.

`$host` is the name by which nginx chose the server. The two differ where the client says another name in its first line;
and an application that makes links of the header, or a redirect, leads people to where the client says. Where a port other
than 80 or 443 must be in it, write it: `$host:8080`.

FAIL
    server {
        location / {
            proxy_set_header Host $http_host;
            proxy_pass http://app;
        }
    }

FAIL
    server {
        return 301 https://$http_host$request_uri;
    }

PASS
    server {
        location / {
            proxy_set_header Host $host;
            proxy_pass http://app;
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx.tree import Config, Item

ID = "nginx/host-spoofing"
LEVEL: Level = "info"
_HEADERS = ("host", "x-forwarded-host")


def check(config: Config) -> Iterator[Found]:
    for item in config.uses(b"proxy_set_header", b"grpc_set_header"):
        if len(item.directive.words) == 3 and _sets_host(item):
            yield item.found(f"{item.args[0]} is what the client wrote: $host is what nginx chose by", word=2)
    for item in config.uses(b"return", b"rewrite"):
        if any("//$http_host" in arg or "//${http_host}" in arg for arg in item.args[-2:]):
            yield item.found("the redirect leads to the host that the client wrote: $host is what nginx chose by")


def _sets_host(item: Item) -> bool:
    name, value = item.args
    return name.lower() in _HEADERS and value in ("$http_host", "${http_host}")
