"""Where new lines go in a block, indented as the person indents it, with the line ends of the file."""

from __future__ import annotations

from collections.abc import Sequence

from proxyswitch.conf.nginx.adopt_tree import Draft, Node
from proxyswitch.conf.nginx.tree import Directive, Document
from proxyswitch.conf.text import Span, line_span, newline_of

UNIT = b"    "


def indent_of(document: Document, directive: Directive) -> bytes:
    """The blanks before a directive; of the line that it stands on, when another is before it."""
    data = document.data
    line = data[line_span(data, directive.start).start : directive.start]
    return line[: len(line) - len(line.lstrip(b" \t"))]


def inner_indent(document: Document, block: Directive) -> bytes:
    """The blanks before what stands in a block."""
    outer = indent_of(document, block)
    for child in block.body or ():
        found = indent_of(document, child)
        first = not document.data[line_span(document.data, child.start).start : child.start].strip()
        if first and found.startswith(outer) and found != outer:
            return found
    return outer + (b"\t" if outer.startswith(b"\t") else UNIT)


def unit_of(document: Document, block: Directive) -> bytes:
    """By how much the inside of a block is indented."""
    return inner_indent(document, block)[len(indent_of(document, block)) :]


def text_of(document: Document, indent: bytes, unit: bytes, lines: Sequence[str]) -> bytes:
    """Lines as bytes. Each tab at the start of one stands for one step of indentation."""
    out = []
    for line in lines:
        bare = line.lstrip("\t")
        blanks = indent + unit * (len(line) - len(bare)) if bare else b""
        out.append(blanks + bare.encode("utf-8", "surrogateescape"))
    return newline_of(document.data).join(out)


def at_top(draft: Draft, block: Node, lines: Sequence[str], *, shared: bool = False) -> None:
    """New lines as the first in a block."""
    document, directive = block.document, block.directive
    data, start, newline = document.data, directive.open + 1, newline_of(document.data)
    text = text_of(document, inner_indent(document, directive), unit_of(document, directive), lines) + newline
    line = line_span(data, start - 1)
    rest = data[start : line.end].strip()
    if not rest or rest.startswith(b"#"):
        draft.put(block, Span(line.end, line.end), text, shared=shared)
    else:
        draft.put(block, Span(start, start), newline + text, shared=shared)


def at_bottom(draft: Draft, block: Node, lines: Sequence[str]) -> None:
    """New lines as the last in a block."""
    if not lines:
        return
    document, directive = block.document, block.directive
    data, end, newline = document.data, directive.end - 1, newline_of(document.data)
    text = text_of(document, inner_indent(document, directive), unit_of(document, directive), lines) + newline
    line = line_span(data, end)
    if not data[line.start : end].strip():
        draft.put(block, Span(line.start, line.start), text)
    else:
        start = len(data[:end].rstrip(b" \t"))
        draft.put(block, Span(start, start), newline + text)


def before(draft: Draft, owner: Node, lines: Sequence[str], *, at: Directive | None = None, shared: bool = False) -> None:
    """New lines before a directive, the owner or another in its file, and before the comment that belongs to it."""
    if not lines:
        return
    document, directive = owner.document, at or owner.directive
    indent = indent_of(document, directive)
    text = text_of(document, indent, unit_of(document, directive), lines).removeprefix(indent)
    start = _comment_above(document, directive)
    draft.put(owner, Span(start, start), text + newline_of(document.data) + indent, shared=shared)


def _comment_above(document: Document, directive: Directive) -> int:
    """Where a directive begins, with the comment lines right above it that are indented as it is."""
    data, at = document.data, directive.start
    indent = data[line_span(data, at).start : at]
    siblings = (directive.parent.body or []) if directive.parent else document.directives
    outer = directive.parent.open if directive.parent else 0
    floor = max([d.end for d in siblings if d.end <= at], default=outer)
    while not indent.strip():
        line = line_span(data, max(floor, line_span(data, at).start - 1))
        if line.start < floor or line.end > at or not data.startswith(indent + b"#", line.start):
            break
        at = line.start + len(indent)
    return at


def behind(draft: Draft, node: Node, lines: Sequence[str]) -> None:
    """New lines behind a directive."""
    document, directive = node.document, node.directive
    text = text_of(document, indent_of(document, directive), unit_of(document, directive), lines)
    draft.put(node, Span(directive.end, directive.end), newline_of(document.data) * 2 + text)
