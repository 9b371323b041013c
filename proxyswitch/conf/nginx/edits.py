"""Edits of server lines that touch no byte that they need not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from proxyswitch.conf.nginx.pools import ServerLine, Upstream
from proxyswitch.conf.nginx.tree import Document
from proxyswitch.conf.row import Row
from proxyswitch.conf.text import Edit, Span, line_span, newline_of
from proxyswitch.errors import ProxyswitchError
from proxyswitch.model import PoolChange, Server, ServerChange


class EditConflict(ProxyswitchError):
    """The pool is not as the change expects it: somebody changed it since."""


@dataclass(frozen=True, slots=True)
class FileEdit:
    """Edits of one file."""

    document: Document
    edits: tuple[Edit, ...]


def edit(upstream: Upstream, change: PoolChange) -> list[FileEdit]:
    """The edits that make `change` in the person's files. Raises EditConflict when a server is not as expected."""
    by_file: dict[str, tuple[Document, list[Edit]]] = {}
    left = list(upstream.lines)
    for server_change in change.servers:
        line = _take(left, server_change.before) if server_change.before else None
        document, edits = _one(upstream, line, server_change)
        by_file.setdefault(document.real, (document, []))[1].extend(edits)
    return [FileEdit(document, tuple(_apart(edits))) for document, edits in by_file.values() if edits]


def _apart(edits: list[Edit]) -> list[Edit]:
    """The edits, with those of neighbours moved apart where both would take the same blanks."""
    out: list[Edit] = []
    for item in sorted(edits, key=lambda edit: edit.span):
        span, text = item
        if out and span.start < out[-1].span.end:
            last, removal = out[-1].span, not out[-1].replacement
            if removal:
                out[-1] = Edit(Span(last.start, span.start), b"")
            elif span.start == span.end or not text:  # an insertion goes behind a gap that was aligned
                span = Span(last.end, max(last.end, span.end))
        out.append(Edit(span, text))
    return out


def _take(lines: list[ServerLine], server: Server) -> ServerLine:
    for line in lines:
        if line.server == server:
            lines.remove(line)
            return line
    raise EditConflict(f"there is no server line as {describe(server)} any more")


def describe(server: Server) -> str:
    """The server line as nginx would read it, for messages."""
    return " ".join(_words(server))


def _words(server: Server) -> list[str]:
    words = ["server", server.address]
    if server.weight != 1:
        words.append(f"weight={server.weight}")
    words += server.params
    return words + [flag for flag in ("backup", "down") if getattr(server, flag)]


def _one(upstream: Upstream, line: ServerLine | None, change: ServerChange) -> tuple[Document, list[Edit]]:
    if line is None:
        if change.after is None:
            raise ValueError("a change without before and after")
        document, at = _place(upstream)
        return document, [add(upstream, document, at, change.after)]
    if change.after is None:
        return line.document, [remove(line)]
    return line.document, list(rewrite(line, change.after))


def rewrite(line: ServerLine, after: Server) -> Iterator[Edit]:
    """The edit that turns one server line into `after`: address, weight, `down` and `backup`, nothing else."""
    row = _Row(line)
    before = line.server
    if after.address != before.address:
        row.set_address(after.address)
    if after.weight != before.weight:
        row.set_weight(after.weight)
    for flag in ("backup", "down"):
        if getattr(after, flag) != getattr(before, flag):
            row.set_flag(flag, on=getattr(after, flag))
    yield from row.edits()


class _Row(Row):
    """A server line: the address, its parameters, and the `;`."""

    def __init__(self, line: ServerLine) -> None:
        document, directive = line.document, line.directive
        super().__init__(document.data, directive.words[1:], document.text(directive), b";")

    def set_address(self, address: str) -> None:
        """Another address, in the quotes that the person used."""
        piece = self.pieces[0]
        quote = piece.word[:1] if piece.word[:1] in (b'"', b"'") else b""
        piece.set(quote + address.encode("utf-8", "surrogateescape") + quote)

    def set_weight(self, weight: int) -> None:
        """`weight=N`, where it stood, else behind the address; a weight of 1 is the default and goes."""
        there = [p for p in self.pieces if p.meaning.startswith("weight=")]
        word = f"weight={weight}".encode()
        if not there:
            self.insert(1, word)
        for piece in there:
            if weight == 1:
                piece.cut()
            else:
                piece.set(word)

    def set_flag(self, flag: str, *, on: bool) -> None:
        if on:
            self.insert(-2, flag.encode())
        for piece in [p for p in self.pieces if p.meaning == flag and not on]:
            piece.cut()


def remove(line: ServerLine) -> Edit:
    """Take a server line out. Its whole line goes when nothing else stands on it; a comment behind it stays."""
    data, directive = line.document.data, line.directive
    start, end = line_span(data, directive.start).start, line_span(data, directive.end - 1).end
    before, behind = data[start : directive.start], data[directive.end : end]
    if before.strip():
        return Edit(Span(start + len(before.rstrip(b" \t")), directive.end), b"")
    if behind.strip():
        return Edit(Span(directive.start, directive.end + len(behind) - len(behind.lstrip(b" \t"))), b"")
    return Edit(Span(start, end), b"")


def _place(upstream: Upstream) -> tuple[Document, int]:
    """Where a new server line goes: behind the last one, else behind the opening brace."""
    at = upstream.lines[-1].directive.end if upstream.lines else upstream.directive.open + 1
    return upstream.place, at


def add(upstream: Upstream, document: Document, at: int, server: Server) -> Edit:
    """Insert a server line, indented as its neighbour, on a line of its own if the neighbour has one."""
    data = document.data
    text = " ".join(_words(server)).encode("utf-8", "surrogateescape") + b";"
    line = line_span(data, at - 1)
    if upstream.lines:
        start = upstream.lines[-1].directive.start
        indent = data[line_span(data, start).start : start]
    else:
        indent = data[line.start : upstream.directive.start] + b"    "
    rest = data[at : line.end]
    if indent.strip() or not (rest.strip() == b"" or rest.strip().startswith(b"#")):
        return Edit(Span(at, at), b" " + text)
    return _own_line(data, Span(at, line.end), indent + text)


def _own_line(data: bytes, rest: Span, text: bytes) -> Edit:
    newline = newline_of(data)
    if data[rest.start : rest.end].endswith(b"\n"):
        return Edit(Span(rest.end, rest.end), text + newline)
    return Edit(Span(rest.end, rest.end), newline + text)
