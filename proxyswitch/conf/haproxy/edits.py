"""Edits of server lines that touch no byte that they need not."""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.conf.haproxy import lexer
from proxyswitch.conf.haproxy.document import Document
from proxyswitch.conf.haproxy.pools import Backend
from proxyswitch.conf.haproxy.servers import ONE_ARGUMENT, Defaults, ServerLine
from proxyswitch.conf.row import Row
from proxyswitch.conf.text import Edit, Span, line_span, newline_of
from proxyswitch.errors import ProxyswitchError, UsageError
from proxyswitch.model import PoolChange, Server, ServerChange

NO_DEFAULTS = Defaults()


class EditConflict(ProxyswitchError):
    """The pool is not as the change expects it: somebody changed it since."""


def edit(backend: Backend, change: PoolChange) -> list[Edit]:
    """The edits of the backend's file that make `change`. Raises EditConflict when a server is not as expected,
    UsageError for what cannot be edited: a template, a line that depends on a condition that we cannot know."""
    if not backend.sure:
        raise UsageError(
            f"server lines of {backend.name} ({backend.where}) stand in an .if whose condition is not known here",
            next_step="start HAProxy, or edit the file by hand",
        )
    return [made for one in change.servers if one.before != one.after for made in _one(backend, one)]


def _one(backend: Backend, change: ServerChange) -> list[Edit]:
    if change.before is None:
        if change.after is None:
            raise ValueError("a change without before and after")
        return [add(backend, change.after)]
    row = _line_of(backend, change.before)
    if row.template:
        raise UsageError(
            f"{change.before.name} comes from the server-template of {row.server.where}, which stands for several servers",
            next_step="write server lines in its place: then each can be changed by itself",
        )
    return [remove(row)] if change.after is None else list(rewrite(row, change.after))


def _line_of(backend: Backend, server: Server) -> ServerLine:
    for row in backend.lines:
        if row.server == server:
            return row
    raise EditConflict(f"there is no server line as {describe(server)} any more")


def describe(server: Server) -> str:
    """The server line as HAProxy would read it, for messages."""
    return b" ".join(_words(server)).decode("utf-8", "surrogateescape")


def _words(server: Server, defaults: Defaults = NO_DEFAULTS) -> list[bytes]:
    """The words of a line that make this server, where it would have `defaults` without them."""
    words = ["server", server.name, server.address]
    words += ["weight", str(server.weight)] if server.weight != defaults.weight else []
    words += server.params
    words += [("no-backup", "backup")[server.backup]] if server.backup != defaults.backup else []
    words += [("enabled", "disabled")[server.down]] if server.down != defaults.down else []
    return [lexer.quoted(word) for word in words]


def rewrite(row: ServerLine, after: Server) -> Iterator[Edit]:
    """The edit that turns one server line into `after`: address, weight, `disabled` and `backup`, nothing else."""
    line, before, defaults = _Row(row), row.server, row.defaults
    if after.address != before.address:
        line.pieces[0].set(lexer.quoted(after.address))
    if after.weight != before.weight:
        line.set_weight(after.weight, defaults.weight)
    if after.backup != before.backup:
        line.set_flag("backup", "no-backup", on=after.backup, default=defaults.backup)
    if after.down != before.down:
        line.set_flag("disabled", "enabled", on=after.down, default=defaults.down)
    yield from line.edits()


class _Row(Row):
    """A server line from its address on."""

    def __init__(self, row: ServerLine) -> None:
        words = row.document.words(row.line)[2:]
        spans = [(w.start, w.end) for w in words]
        if len({start for start, _ in spans}) != len(spans):
            raise UsageError(f"{row.server.where}: one word of this line stands for several; it cannot be edited")
        super().__init__(row.document.data, spans, [w.value.decode("utf-8", "surrogateescape") for w in words])

    def keywords(self) -> Iterator[int]:
        """The numbers of the pieces that are keywords, and not the argument of one."""
        at = 1
        while at < self.words:
            yield at
            at += 2 if self.pieces[at].meaning in ONE_ARGUMENT else 1

    def set_weight(self, weight: int, default: int) -> None:
        """`weight N`, where it stood, else behind the address; what is the default goes."""
        there = [n for n in self.keywords() if self.pieces[n].meaning == "weight"]
        for number in there:
            if weight == default:
                self.pieces[number].cut()
                self.pieces[number + 1].cut()
            elif number + 1 == self.words:  # the value is missing: HAProxy takes it for 0
                self.insert(self.words, b"%d" % weight)
                self.words += 1
            else:
                self.pieces[number + 1].set(str(weight).encode())
        if not there and weight != default:
            self.insert(1, b"%d" % weight)
            self.insert(1, b"weight")
            self.words += 2

    def set_flag(self, flag: str, opposite: str, *, on: bool, default: bool) -> None:
        """A flag, or the word that takes it back where it is on by default; what is the default goes."""
        word = (flag if on else opposite).encode()
        there = [self.pieces[n] for n in self.keywords() if self.pieces[n].meaning in (flag, opposite)]
        for piece in there:
            if on == default:
                piece.cut()
            else:
                piece.set(word)
        if not there and on != default:
            self.insert(1 if self.dangling() else self.words, word)
            self.words += 1

    def dangling(self) -> bool:
        """True when the last keyword misses its argument: it would take the next word for it."""
        last = max(self.keywords(), default=0)
        return last + 1 == self.words and self.pieces[last].meaning in ONE_ARGUMENT


def remove(row: ServerLine) -> Edit:
    """Take a server line out, with its line end; a comment behind it stays."""
    data, line = row.document.data, row.line
    whole = line_span(data, line.start)
    words = row.document.words(line)
    rest = data[words[-1].end : whole.end]
    if rest.strip():
        return Edit(Span(line.start, words[-1].end + len(rest) - len(rest.lstrip(b" \t"))), b"")
    return Edit(whole, b"")


def add(backend: Backend, server: Server) -> Edit:
    """Insert a server line behind the last one, else at the end of the section, indented as its neighbour."""
    document = backend.document
    neighbours = [row.line for row in backend.lines] or backend.section.lines
    last = max((line.start for line in neighbours), default=backend.section.head.start)
    defaults = backend.lines[-1].defaults if backend.lines else backend.defaults
    text = _indent(document, last, inside=bool(neighbours)) + b" ".join(_words(server, defaults))
    line, newline = line_span(document.data, last), newline_of(document.data)
    if document.data[line.start : line.end].endswith(b"\n"):
        return Edit(Span(line.end, line.end), text + newline)
    return Edit(Span(line.end, line.end), newline + text)


def _indent(document: Document, start: int, *, inside: bool) -> bytes:
    if not inside:
        return b"    "
    return document.data[line_span(document.data, start).start : start]
