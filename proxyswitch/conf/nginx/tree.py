"""The directive tree of one nginx file. Every node knows its bytes; nothing is lost or changed."""

from __future__ import annotations

from proxyswitch.conf.nginx import lexer
from proxyswitch.conf.text import Span, position
from proxyswitch.model import Where


class Directive:
    """One directive. `words` are the offsets of its words, the name first; `body` the directives in its braces.

    `start` is the first byte of the name, `end` the byte after the `;` or the `}`.
    """

    __slots__ = ("body", "end", "name", "open", "parent", "start", "words")

    def __init__(self, name: bytes, words: list[tuple[int, int]], parent: Directive | None) -> None:
        self.name = name
        self.words = words
        self.parent = parent
        self.start = words[0][0]
        self.end = words[-1][1]
        self.open = -1
        self.body: list[Directive] | None = None

    @property
    def context(self) -> tuple[bytes, ...]:
        """The names of the blocks around it in this file, the outermost first."""
        names = []
        node = self.parent
        while node:
            names.append(node.name)
            node = node.parent
        return tuple(reversed(names))


class Document:
    """One parsed file. `dumps()` gives back the bytes that it was parsed from.

    `path` is the name by which the person includes the file, `real` the file itself, all links resolved.
    """

    __slots__ = ("data", "directives", "includes", "path", "real", "upstreams")

    def __init__(self, data: bytes, path: str) -> None:
        self.data = data
        self.path = path
        self.real = path
        self.directives: list[Directive] = []
        self.includes: list[Directive] = []
        self.upstreams: list[Directive] = []

    def dumps(self) -> bytes:
        return self.data

    def args(self, directive: Directive) -> list[bytes]:
        """The values of the directive's arguments, without quotes and escapes."""
        return [lexer.value(self.data, start, end) for start, end in directive.words[1:]]

    def text(self, directive: Directive) -> list[str]:
        """The same as text, for people and for the model; bytes that are no UTF-8 survive a round trip."""
        return [arg.decode("utf-8", "surrogateescape") for arg in self.args(directive)]

    def where(self, directive: Directive) -> Where:
        return Where(self.path, position(self.data, directive.start).line)

    def span(self, directive: Directive) -> Span:
        return Span(directive.start, directive.end)


def parse(data: bytes, path: str = "") -> Document:
    """Parse one file. Raises ConfigError with file, line, column and what was expected."""
    return _Parser(data, path).run()


class _Parser:
    def __init__(self, data: bytes, path: str) -> None:
        self.data = data
        self.path = path
        self.document = Document(data, path)
        self.blocks: list[Directive] = []
        self.words: list[tuple[int, int]] = []

    def run(self) -> Document:
        """The loop over tokens. It is the hot path: a word costs one match and one append."""
        data, next_token, words = self.data, lexer.next_token, self.words
        at, size = 0, len(data)
        while True:
            match = next_token(data, at)
            at, kind = match.end(), match.lastindex
            if kind == lexer.WORD:
                span = match.span(1)
                words.append(span)
                if data[span[0]] in b"\"'" and at < size and data[at] not in lexer.AFTER_QUOTE:
                    raise self.unexpected(at)
            elif kind == lexer.END:
                self.finish(at)
                words = self.words
            elif kind == lexer.OPEN:
                at = self.open(at)
                words = self.words
            elif kind == lexer.CLOSE:
                self.close(at)
            else:
                return self.eof(at)

    def finish(self, end: int) -> None:
        """A directive that ends with `;`."""
        self.add(end).end = end

    def add(self, at: int) -> Directive:
        words = self.words
        if not words:
            raise self.unexpected(at - 1)
        parent = self.blocks[-1] if self.blocks else None
        start, end = words[0]
        directive = Directive(lexer.value(self.data, start, end), words, parent)
        siblings = self.document.directives if parent is None else parent.body
        siblings.append(directive)  # type: ignore[union-attr]  # a parent is a block, so it has a body
        if directive.name == b"include":
            self.document.includes.append(directive)
        self.words = []
        return directive

    def open(self, at: int) -> int:
        """A block begins; returns where to read on: after the code, for a Lua block."""
        block = self.add(at)
        block.body, block.open = [], at - 1
        if block.name == b"upstream":
            self.document.upstreams.append(block)
        self.blocks.append(block)
        if block.name.endswith(b"_by_lua_block"):
            return lexer.lua_block_end(self.data, at, self.path)
        return at

    def close(self, at: int) -> None:
        if self.words or not self.blocks:
            raise self.unexpected(at - 1)
        self.blocks.pop().end = at

    def eof(self, at: int) -> Document:
        if at < len(self.data):
            self.refuse_rest(at)
        if self.words:
            raise self.error(at, 'unexpected end of file, expected ";" or "{"')
        if self.blocks:
            block = self.blocks[-1]
            name = block.name.decode("utf-8", "replace")
            line = position(self.data, block.start).line
            raise self.error(at, f'unexpected end of file, expected "}}" for "{name}" of line {line}')
        return self.document

    def refuse_rest(self, at: int) -> None:
        """No token fits although bytes are left: an open quote, or a lone backslash at the very end."""
        quote = self.data[at : at + 1]
        if quote in (b'"', b"'"):
            raise self.error(at, f"the quote {quote.decode()} is not closed before the end of the file")
        raise self.error(at, 'unexpected end of file after "\\"')

    def unexpected(self, at: int) -> Exception:
        char = self.data[at : at + 1].decode("utf-8", "replace")
        return self.error(at, f'unexpected "{char}"' + self.expectation(at))

    def expectation(self, at: int) -> str:
        if self.data[at : at + 1] == b"}":
            return ', expected ";" before it' if self.words else ", no block is open here"
        return ', expected a space, ";" or "{" after the quote' if self.words else ", expected a directive"

    def error(self, at: int, what: str) -> Exception:
        return lexer.error(self.data, at, what, self.path)
