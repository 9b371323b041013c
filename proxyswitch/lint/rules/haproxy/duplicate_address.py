"""Two servers of a pool are at the same address: they fail together, and a switch changes nothing.

Most often it is a copied line whose port was not changed. Not judged are host names, which may stand for several machines;
unix sockets; places to be filled (a `server-template`, or two that are both disabled); servers that are reached in different
ways (`sni`, `source`, `ssl` and such); and pools with `use-server`.

FAIL
    backend app
        server blue 127.0.0.1:3001 check
        server green 127.0.0.1:3001 check disabled

PASS
    backend app
        server blue 127.0.0.1:3001 check
        server green 127.0.0.1:3002 check disabled

PASS
    backend app
        server one 127.0.0.1:8443 check ssl verify none sni str(one.example.com)
        server two 127.0.0.1:8443 check ssl verify none sni str(two.example.com)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.address import literal
from proxyswitch.lint.haproxy.config import Config, Proxy, ProxyServer

ID = "haproxy/duplicate-address"
LEVEL: Level = "warning"
_WAYS_TEXT = (
    "addr alpn crt interface namespace port proto proxy-v2-options redir send-proxy send-proxy-v2 send-proxy-v2-ssl"
    " send-proxy-v2-ssl-cn set-proxy-v2-tlv-fmt sni socks4 source ssl usesrc ws"
)
_WAYS = frozenset(_WAYS_TEXT.split())


def check(config: Config) -> Iterator[Found]:
    for pool in config.judged:
        places = {server.server.address.rpartition("@")[2] for server in pool.servers}
        if len(places) < len(pool.servers) and not pool.said(b"use-server"):
            yield from _of(pool)


def _of(pool: Proxy) -> Iterator[Found]:
    seen: dict[Hashable, ProxyServer] = {}
    for server in pool.servers:
        address = literal(server.server.address)
        if not address or server.line.template:
            continue
        first = seen.setdefault((address, *_way(server)), server)
        if first is not server and not (first.server.down and server.server.down):
            both = f"{first.server.name} and {server.server.name}"
            yield server.row.found(f"{pool.name}: {both} are both at {address}: if one fails, so does the other", word=2)


def _way(server: ProxyServer) -> list[tuple[str, str]]:
    """How it is reached, apart from the address."""
    return [(word, server.said[word]) for word in sorted(_WAYS & server.said.keys())]
