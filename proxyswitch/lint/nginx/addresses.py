"""The addresses in the server lines of upstreams, as nginx reads them (`ngx_parse_url`, src/core/ngx_inet.c)."""

from __future__ import annotations

import re
from typing import NamedTuple

from proxyswitch.lint.nginx.tree import Config, Item, PoolServer, Upstream

_PARTS = re.compile(r"(?:(?P<scheme>[a-zA-Z]+)://)?(?P<host>\[[^\]]*\]|[^:/]*)(?P<mark>:?)(?P<port>[^/]*)(?P<path>.*)", re.S)
_IP = re.compile(r"\d+\.\d+\.\d+\.\d+|\[.*\]", re.ASCII)


class Address(NamedTuple):
    """A server line and the parts of its address. `port` is None where it has none, `path` what stands behind it."""

    upstream: Upstream
    line: PoolServer
    scheme: str
    host: str
    port: str | None
    path: str

    @property
    def item(self) -> Item:
        return self.line.item

    @property
    def unix(self) -> bool:
        return self.host.startswith("unix:")

    @property
    def named(self) -> bool:
        """Whether it is a name that must be looked up: no address, no socket, and not this machine's own name."""
        return not (self.unix or _IP.fullmatch(self.host) or self.host in ("", "localhost") or "$" in self.host)

    @property
    def key(self) -> str:
        """The address as one text, the same for all spellings of it."""
        return self.host if self.unix else f"{self.host}:{self.port or 80}"


def all_of(config: Config) -> list[Address]:
    """Those of all upstreams."""
    return config.once(_all_of)


def of(config: Config, upstream: Upstream) -> list[Address]:
    return config.once(_by_upstream)[id(upstream.block)]


def _all_of(config: Config) -> list[Address]:
    return [address for upstream in config.upstreams for address in of(config, upstream)]


def _by_upstream(config: Config) -> dict[int, list[Address]]:
    return {id(u.block): [_read(u, line) for line in u.servers] for u in config.upstreams}


def _read(upstream: Upstream, line: PoolServer) -> Address:
    text = line.server.address
    if text.startswith("unix:"):
        return Address(upstream, line, "", text, None, "")
    scheme, host, mark, port, path = _PARTS.fullmatch(text).groups("")  # type: ignore[union-attr]  # it fits any text
    return Address(upstream, line, scheme, host.lower(), port if mark else None, path if mark else port + path)
