"""What pools in instant mode share, once for the whole config: buckets of clients, the first URI, the format of the log.

It is added by the first pool that needs it, and goes with the last: what it looks like is known, so no record is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from proxyswitch.conf.nginx import adopt_form, adopt_place
from proxyswitch.conf.nginx.adopt_form import BUCKET, FIRST_URI, LOG_FORMAT, Form
from proxyswitch.conf.nginx.adopt_tree import Draft, Node, Refused, everything, in_stream
from proxyswitch.conf.nginx.tree import Directive, Document, parse
from proxyswitch.conf.nginx.verify import walk
from proxyswitch.conf.text import Edit, Span, line_span, newline_of


class Piece(NamedTuple):
    """A shared piece: the directive, the word that names it, its lines, and how a line that needs it looks."""

    directive: str
    name: str
    lines: Sequence[str]
    use: re.Pattern[bytes]


BUCKETS = Piece("split_clients", f"${BUCKET}", adopt_form.BUCKET_LINES, re.compile(rf"\$\{{?{BUCKET}\b".encode()))
URI = Piece("map", f"${FIRST_URI}", adopt_form.URI_LINES, re.compile(rf"\$\{{?{FIRST_URI}\b".encode()))
LOG = Piece("log_format", LOG_FORMAT, adopt_form.LOG_LINES, re.compile(rf"access_log\s+\S+\s+{LOG_FORMAT}[\s;]".encode()))


def add(draft: Draft, top: list[Node], pool: Node, form: Form) -> None:
    """Put the pieces that the pool needs before its upstream, those that are not there yet.

    The format of the log goes to the beginning of http: it must come before the first line that names it.
    """
    wanted = [piece for piece, needed in ((BUCKETS, not form.key), (URI, form.raw)) if needed]
    lines = [line for piece in wanted if not _is_there(top, piece) for line in piece.lines]
    adopt_place.before(draft, pool, lines, shared=True)
    adopt_place.before(draft, pool, adopt_form.own_buckets(form) if form.key else [])
    if form.log and not _is_there(top, LOG):
        _first_in_http(draft, top, pool, LOG.lines)


def _is_there(top: list[Node], piece: Piece) -> bool:
    """True when a pool in instant mode has brought it. Raises Refused when something else has that name."""
    for node in everything(top):
        if node.name == piece.directive and piece.name in node.args and not in_stream(node):
            if not _same(node.document, node.directive, piece):
                raise Refused(f"{node.where}: {piece.name} is in use already, and instant mode needs the name")
            return True
    return False


def _same(document: Document, directive: Directive, piece: Piece) -> bool:
    ours = parse("\n".join(line for line in piece.lines).encode())
    return meaning(document, directive) == meaning(ours, ours.directives[0])


def meaning(document: Document, directive: Directive) -> list[list[bytes]]:
    """The words of a directive, and of all inside it."""
    args = document.args(directive)
    if directive.name == b"log_format":  # its words are put together
        args = [args[0], args[1], b"".join(args[2:])] if len(args) > 2 else args
    return [[directive.name, *args], *(row for child in directive.body or () for row in meaning(document, child))]


def _first_in_http(draft: Draft, top: list[Node], pool: Node, lines: Sequence[str]) -> None:
    http = next((node for node in everything(top) if node.name == "http"), None)
    if http is None or not http.directive.body:
        raise Refused(f"{pool.where}: this config has no http block that the format of the log could stand in")
    data, end = http.document.data, line_span(http.document.data, http.directive.open).end
    rest = data[http.directive.open + 1 : end].strip()
    if rest and not rest.startswith(b"#"):
        adopt_place.before(draft, http, lines, at=http.directive.body[0], shared=True)
    else:
        adopt_place.at_top(draft, http, lines, shared=True)


def remove(documents: Mapping[str, Document], after: Mapping[str, bytes]) -> Iterator[tuple[Document, Edit]]:
    """The edits that take out the pieces that nothing needs any more. `after` is each file as it will be without them."""
    for piece in (BUCKETS, URI, LOG):
        found = [(document, d) for document in documents.values() for _, d in walk(document) if _is(document, d, piece)]
        uses = sum(len(piece.use.findall(data)) for data in after.values())
        defined = sum(len(piece.use.findall(document.data[slice(*document.span(d))])) for document, d in found)
        if uses == defined:
            for document, directive in found:
                yield document, Edit(_span(document, directive), b"")


def _is(document: Document, directive: Directive, piece: Piece) -> bool:
    return (
        directive.name == piece.directive.encode()
        and piece.name in document.text(directive)
        and _same(document, directive, piece)
    )


def _span(document: Document, directive: Directive) -> Span:
    """The piece with the comment before it and the line end behind it, as it was put in."""
    data, newline = document.data, newline_of(document.data)
    start, line = directive.start, line_span(data, directive.start)
    above = data[: line.start].rstrip(b"\r\n")
    comment = above.rfind(b"# proxyswitch: ", above.rfind(b"\n") + 1)
    if not data[line.start : start].strip() and comment >= 0:
        start = comment
    begin = line_span(data, start).start
    if not data[begin:start].strip():
        return Span(begin, line_span(data, directive.end - 1).end)
    indent = adopt_place.indent_of(document, directive)
    rest = newline + indent
    return Span(start, directive.end + (len(rest) if data.startswith(rest, directive.end) else 0))
