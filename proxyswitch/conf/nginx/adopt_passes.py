"""The places that pass to a pool, and the other ways in which a config can name it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from proxyswitch.conf.nginx.adopt_tree import Node, Refused, everything, in_stream, location_of, server_of

# The passes that take a variable, with the schemes that may stand before the name.
SCHEMES = {
    "proxy_pass": ("http", "https"),
    "grpc_pass": ("", "grpc", "grpcs"),
    "fastcgi_pass": ("",),
    "uwsgi_pass": ("", "uwsgi", "suwsgi"),
    "scgi_pass": ("",),
}
SECURE = frozenset({"https", "grpcs", "suwsgi"})
_TARGET = re.compile(r"(?:(\w+)://)?([^/:$?\s]+)(.*)\Z", re.DOTALL)


class Pass(NamedTuple):
    """A pass to the pool. `scheme` and `host` are as the person writes them, `location` and `server` around it."""

    node: Node
    scheme: str
    host: str
    location: Node
    server: Node

    @property
    def kind(self) -> str:
        return self.node.name

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}" if self.scheme else self.host

    @property
    def secure(self) -> bool:
        return self.scheme.lower() in SECURE


def passes(top: list[Node], pool: str) -> list[Pass]:
    """All passes to the pool, once for each way in which they are reached.

    Raises Refused for a pass that a variable would change, and when there is none.
    """
    found = [item for node in everything(top) for item in _pass(node, pool)]
    if not found:
        raise Refused(f"no location passes requests to {pool}: there is nothing that a flag could switch")
    return found


def _pass(node: Node, pool: str) -> Iterator[Pass]:
    if node.name not in SCHEMES or node.is_block or in_stream(node) or len(node.args) != 1:
        return
    match = _TARGET.match(node.args[0])
    if not match or match[2].lower() != pool.lower():
        return
    scheme = match[1] or ""
    if scheme.lower() not in SCHEMES[node.name]:
        return
    if match[3]:
        raise _rest(node, match[3])
    location, server = location_of(node), server_of(node)
    if location is None or server is None:
        raise Refused(f'{node.where}: "{node.name}" stands in no location of a server block')
    yield Pass(node, scheme, match[2], location, server)


def passes_to(node: Node, pool: str) -> bool:
    """True when a pass names the pool."""
    return names(node.args[:1], pool)


def _rest(node: Node, rest: str) -> Refused:
    return Refused(
        f'{node.where}: "{node.name} {node.args[0]}" has a path, {rest}: with a variable nginx would put it in the place of'
        " the whole URI",
        next_step="let a rewrite change the path, and leave it out here: rewrite ^/old/(.*) /new/$1 break;",
    )


def names(args: tuple[str, ...], pool: str) -> bool:
    """True when an argument is the pool's name, or a URL of it."""
    targets = (_TARGET.match(arg) for arg in args)
    return any(match and match[2].lower() == pool.lower() for match in targets)
