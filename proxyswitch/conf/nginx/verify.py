"""After an edit: is the difference of meaning exactly the intended one? Parsed again, by us."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from proxyswitch.conf.nginx import chain
from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.pools import Upstream, upstreams
from proxyswitch.conf.nginx.tree import Directive, Document
from proxyswitch.errors import ProxyswitchError
from proxyswitch.model import PoolChange

Row = tuple[int, bytes, tuple[bytes, ...]]


class UnintendedEdit(ProxyswitchError):
    """An edit would have changed something else than was asked: it is refused, and nothing is written."""


# Above so many bytes the pool's block is read again, and not the whole file around it.
LARGE = 32 * 1024


class Reading(NamedTuple):
    """The pool as it was, and the config before and after the edit."""

    upstream: Upstream
    before: Config
    after: Config


def read_again(config: Config, upstream: Upstream, changed: Mapping[str, bytes]) -> Reading:
    """Parse what an edit would make of the files.

    In a large file the pool's block stands for the whole: outside it no byte differs, and the tokenizer, which is
    between two directives on either side of the block, reads the same bytes in the same way.
    """
    document = upstream.document
    text = changed.get(document.real)
    if text is None or len(text) <= LARGE:
        return Reading(upstream, config, chain.load(config.main, config.names, config.documents, changed))
    start, end = document.span(upstream.directive)
    to = end + len(text) - len(document.data)
    if text[:start] != document.data[:start] or text[to:] != document.data[end:]:
        raise UnintendedEdit(f"the edit would have changed more than the pool {upstream.name} in {document.path}")
    before = _alone(config, upstream, document.data[start:end], {})
    after = _alone(config, upstream, text[start:to], changed)
    found = upstreams(before, upstream.name)
    if len(found) != 1 or [line.server for line in found[0].lines] != [line.server for line in upstream.lines]:
        raise UnintendedEdit(f"the pool {upstream.name} cannot be read by itself")
    return Reading(found[0], before, after)


def _alone(config: Config, upstream: Upstream, block: bytes, changed: Mapping[str, bytes]) -> Config:
    """The block as a config of its own, in its context; the files that it includes are followed from the same folder."""
    text = upstream.context.encode() + b" {" + block + b"}"
    return chain.load(config.main, config.names, config.documents, {**changed, config.root.real: text})


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
    return next((u for u in upstreams(config, upstream.name) if (u.name, u.context, u.document.real) == key), None)


def _rest(document: Document, upstream: Upstream) -> list[tuple[int, list[bytes]]]:
    """Every directive of the file as depth and words, in the person's own spelling, but for that pool's server lines."""
    skip = {line.directive.start for line in upstream.lines if line.document is document}
    data = document.data
    return [
        (depth, [data[a:b] for a, b in directive.words] + [_code(document, directive)])
        for depth, directive in walk(document)
        if directive.start not in skip
    ]


def _code(document: Document, directive: Directive) -> bytes:
    """The Lua code of a block that holds some."""
    return document.data[directive.open : directive.end] if directive.name.endswith(b"_by_lua_block") else b""


def walk(document: Document) -> Iterator[tuple[int, Directive]]:
    """Every directive with its depth, in the order of the file."""
    stack = [(0, d) for d in reversed(document.directives)]
    while stack:
        depth, directive = stack.pop()
        yield depth, directive
        if directive.body:
            stack += [(depth + 1, d) for d in reversed(directive.body)]


def rows(document: Document) -> list[tuple[Directive, Row]]:
    """Every directive with its depth, name and arguments, in order. Lua code is compared as one argument."""
    out: list[tuple[Directive, Row]] = []
    for depth, directive in walk(document):
        args = document.args(directive)
        code = _code(document, directive)
        out.append((directive, (depth, directive.name, (*args, code) if code else tuple(args))))
    return out
