"""Directives that send a request on, such as `proxy_pass`: to whom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from proxyswitch.lint.nginx.tree import Config, Item, context_of

HTTP = (b"proxy_pass", b"grpc_pass", b"fastcgi_pass", b"uwsgi_pass", b"scgi_pass", b"memcached_pass")
TARGET = re.compile(
    r"(?:(?P<scheme>[a-zA-Z]+|\$\{?\w+\}?|\0)://)?"
    r"(?P<host>unix:[^:]+|\[[^\]]*\]|(?!\w*://)[^:/?]+)(?::(?P<port>[^/?]*))?(?P<uri>.*)",
    re.S,
)
_ADDRESS = re.compile(r"[\d.]+|\[.*|unix:.*", re.ASCII)


class Pass(NamedTuple):
    """One of them. `scheme`, `port` and `uri` are '' where it does not say; `host` is as it stands."""

    item: Item
    scheme: str
    host: str
    port: str
    uri: str

    @property
    def variable(self) -> bool:
        """Whether the target is only known at each request."""
        return "$" in self.item.args[0]

    @property
    def plain(self) -> bool:
        """Whether the host can only be meant as the name of an upstream: one word, no address, no port."""
        return (
            not (self.variable or self.port or "." in self.host or _ADDRESS.fullmatch(self.host))
            and self.host != "localhost"
        )

    @property
    def elsewhere(self) -> bool:
        """Whether the host is the name of another machine, with a dot."""
        return not self.variable and "." in self.host and not _ADDRESS.fullmatch(self.host)

    @property
    def context(self) -> str:
        return context_of(self.item.block)


def all_of(config: Config) -> Iterator[Pass]:
    """Those with one argument; the others are another rule's."""
    for item in config.uses(*HTTP):
        if len(item.directive.words) == 2:
            found = TARGET.fullmatch(item.args[0])
            if found:
                yield Pass(item, *(found[name] or "" for name in ("scheme", "host", "port", "uri")))
