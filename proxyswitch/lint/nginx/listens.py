"""On which addresses and by which names a `server` answers, as nginx compares them (`ngx_http_add_listen`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from proxyswitch.lint.nginx.tree import Block, Config, Item

_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
_UDP = frozenset({"udp", "quic", "http3", "xquic"})  # `http3` before 1.25, `xquic` in Tengine
DEFAULT = "*:80"  # of a server without a listen (`ngx_http_core_server`), where nginx is started as root


class Listen(NamedTuple):
    """A listen directive of a server; `addresses` are several where it has a range of ports."""

    item: Item
    addresses: tuple[str, ...]
    default: bool


def servers(config: Config) -> Iterator[tuple[str, Block]]:
    """The server blocks of http and stream, with which of the two it is."""
    for block in config.blocks(b"server"):
        if block.item and block.above and block.above.name in (b"http", b"stream"):
            yield block.above.name.decode(), block


def of(block: Block) -> list[Listen]:
    """The listens of a server that can be read."""
    return [
        Listen(item, addresses(item.args[0], udp=not _UDP.isdisjoint(item.args)), _default(item.args))
        for item in block.own(b"listen")
        if item.args
    ]


def _default(args: list[str]) -> bool:
    return "default_server" in args or "default" in args


def names(block: Block) -> Iterator[tuple[str, Item, int]]:
    """The names of a server in lower case, with the word that says each."""
    for item in block.own(b"server_name"):
        for number, name in enumerate(item.args, 1):
            yield name.lower(), item, number


@lru_cache(maxsize=4096)
def addresses(text: str, *, udp: bool = False) -> tuple[str, ...]:
    """What a listen names, each address written in one way: `80`, `*:80` and `0.0.0.0:80` are the same."""
    kind = "udp " if udp else ""
    if text.startswith("unix:"):
        return (kind + text,)
    host, ports = _parted(text)
    return tuple(f"{kind}{host}:{port}" for port in ports)


def _parted(text: str) -> tuple[str, range | tuple[str, ...]]:
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "80")
    if not colon and host == "":
        host, port = ("*", text) if _PORT.fullmatch(text) else (text, "80")
    return _host(host), _ports(port)


def _host(host: str) -> str:
    if host.startswith("["):
        from ipaddress import IPv6Address

        try:
            return f"[{IPv6Address(host[1:-1])}]"
        except ValueError:
            return host
    return "*" if host in ("", "*", "0.0.0.0") else host.lower()  # noqa: S104  # as it stands in a config


def _ports(port: str) -> range | tuple[str, ...]:
    match = _PORT.fullmatch(port)
    if not match or not match[2] or not int(match[1]) <= int(match[2]) <= int(match[1]) + 1000:
        return (port,)
    return range(int(match[1]), int(match[2]) + 1)


def shown(address: str) -> str:
    """An address as a person writes it."""
    return address.removeprefix("*:")


@lru_cache(maxsize=1024)
def private(address: str) -> bool:
    """Whether an address is of this machine only, or of a network of one's own; a name is not known, and counts."""
    host = address.removeprefix("udp ").rpartition(":")[0].strip("[]")
    if host == "*" or address.startswith(("unix:", "udp unix:")):
        return host != "*"
    from ipaddress import ip_address

    try:
        found = ip_address(host)
    except ValueError:
        return True
    return found.is_private and not found.is_unspecified
