"""After an edit: is the difference of meaning exactly the intended one? Parsed again, by us."""

from __future__ import annotations

from collections import Counter

from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.pools import Upstream, upstreams
from proxyswitch.conf.nginx.tree import Directive, Document
from proxyswitch.errors import ProxyswitchError
from proxyswitch.model import PoolChange

Row = tuple[int, bytes, tuple[bytes, ...]]


class UnintendedEdit(ProxyswitchError):
    """An edit would have changed something else than was asked: it is refused, and nothing is written."""


def verify(before: Config, after: Config, upstream: Upstream, change: PoolChange) -> None:
    """Raise UnintendedEdit unless `after` differs from `before` by exactly `change` in that pool."""
    changed = find(after, upstream)
    if changed is None:
        raise UnintendedEdit(f"the edit would have lost the pool {upstream.name}")
    if Counter(line.server for line in changed.lines) != change.result(line.server for line in upstream.lines):
        raise UnintendedEdit(f"the edit would have given the pool {upstream.name} other servers than intended")
    if before.documents.keys() != after.documents.keys():
        raise UnintendedEdit("the edit would have changed which files are included")
    for real, document in before.documents.items():
        other = after.documents[real]
        if other.data is not document.data and _rest(document, upstream) != _rest(other, changed):
            raise UnintendedEdit(f"the edit would have changed more than the pool {upstream.name} in {document.path}")


def find(config: Config, upstream: Upstream) -> Upstream | None:
    """The same pool in another reading of the config: same name, context and file."""
    key = (upstream.name, upstream.context, upstream.document.real)
    return next((u for u in upstreams(config) if (u.name, u.context, u.document.real) == key), None)


def _rest(document: Document, upstream: Upstream) -> list[Row]:
    """The meaning of the whole file, without the server lines of that pool."""
    skip = {line.directive.start for line in upstream.lines if line.document is document}
    return [row for directive, row in rows(document) if directive.start not in skip]


def rows(document: Document) -> list[tuple[Directive, Row]]:
    """Every directive with its depth, name and arguments, in order. Lua code is compared as one argument."""
    out: list[tuple[Directive, Row]] = []
    stack = [(0, d) for d in reversed(document.directives)]
    while stack:
        depth, directive = stack.pop()
        args = document.args(directive)
        if directive.name.endswith(b"_by_lua_block"):
            args.append(document.data[directive.open : directive.end])
        out.append((directive, (depth, directive.name, tuple(args))))
        stack += [(depth + 1, d) for d in reversed(directive.body or ())]
    return out
