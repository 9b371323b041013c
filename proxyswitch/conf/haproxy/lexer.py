"""Words of one line, split as HAProxy does (`parse_line` in src/tools.c).

Blanks separate; `#` begins a comment wherever it stands outside quotes, also inside a word. A carriage return right behind a
word ends the line; behind a blank it is one more blank. An empty word (`""`) ends the line too.

Within double quotes a backslash escapes and `$NAME` or `${NAME}` stands for an environment variable; single quotes keep
everything as it is; outside of quotes a backslash escapes too, and a dollar is a dollar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

BLANKS = b" \t\v\f"
PLAIN = re.compile(rb"[^\s#\"'\\]+")
SPECIAL = re.compile(rb"[#\"'\\\r\0]")
_CHUNK = re.compile(rb"[^\s#\"'\\\0]+")
_IN_DOUBLE = re.compile(rb"[^\"\\$\r\n]+")
_BETWEEN = re.compile(rb"\s+")
_HEX = re.compile(rb"[0-9A-Fa-f]{2}")
# a name, or a word of HAProxy's own for where it reads
_NAME = rb"(\.(?:LINE|FILE|SECTION)(?![A-Za-z0-9_])|[A-Za-z_][A-Za-z0-9_]*)"
_VARIABLE = re.compile(rb"\$(?:\{%b(\[\*\])?(-[^}]*)?\}|%b)" % (_NAME, _NAME))
_ESCAPES = {b"t": b"\t", b"n": b"\n", b"r": b"\r", b" ": b" ", b"\\": b"\\", b"#": b"#", b"'": b"'", b'"': b'"'}

Env = Mapping[str, str]


class Word(NamedTuple):
    """A word as it stands from `start` to `end`, and what it means. Those that one variable makes share their start."""

    start: int
    end: int
    value: bytes


class BadLine(ValueError):
    """A line that HAProxy cannot split either; `at` is the offset of what is wrong."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(what)
        self.at = at


def words(data: bytes, start: int, end: int, env: Env | None = None) -> list[Word]:
    """The words between two offsets, which must lie in one line. Raises BadLine.

    Without `env`, and for a variable that is not in it, the variable's own text stands for its value.
    """
    if SPECIAL.search(data, start, end) is None:
        return [Word(*m.span(), m[0]) for m in PLAIN.finditer(data, start, end)]
    return _Splitter(data, start, end, env).split()


class _Splitter:
    def __init__(self, data: bytes, start: int, end: int, env: Env | None) -> None:
        self.data, self.at, self.end = data, start, end
        self.env = env
        self.words: list[Word] = []
        self.parts: list[bytes] = []
        self.begun = -1
        self.over = False  # an empty word was there

    def split(self) -> list[Word]:
        while self.at < self.end:
            char = self.data[self.at : self.at + 1]
            if char in b"#\r\n":
                break
            self.take(char)
        self.close()
        return self.words

    def take(self, char: bytes) -> None:
        """One step: a run of plain bytes, a quoted part, an escape, or the blank behind a word."""
        if char in BLANKS:
            self.close()
            found = _BETWEEN.match(self.data, self.at, self.end)
            self.at = found.end() if found else self.end
            return
        if self.begun < 0:
            self.begun = self.at
        if char == b"\\":
            self.escape()
        elif char in b"\"'":
            (self.double if char == b'"' else self.single)()
        elif char == b"\0":
            raise BadLine(self.at, "a NUL byte")
        else:
            found = _CHUNK.match(self.data, self.at, self.end)
            assert found  # noqa: S101  # any other byte is plain
            self.parts.append(found[0])
            self.at = found.end()

    def close(self) -> None:
        """The word, if one had begun, is over."""
        if self.begun < 0:
            return
        self.word()
        self.begun = -1

    def word(self) -> None:
        """What was taken so far is a word. An empty one is the end of the line for HAProxy, and a NUL that of the word."""
        value = b"".join(self.parts).partition(b"\0")[0]
        self.parts = []
        if value and not self.over:
            self.words.append(Word(self.begun, self.at, value))
        else:
            self.over = True

    def escape(self) -> None:
        """A backslash. One that escapes nothing stands for itself."""
        following = self.data[self.at + 1 : min(self.at + 2, self.end)]
        if following == b"x":
            self.hexadecimal()
        elif following in _ESCAPES:
            self.parts.append(_ESCAPES[following])
            self.at += 2
        else:
            self.parts.append(b"\\")
            self.at += 1

    def hexadecimal(self) -> None:
        digits = _HEX.match(self.data, self.at + 2, self.end)
        if not digits:
            raise BadLine(self.at, 'after "\\x" two hexadecimal digits are expected')
        self.parts.append(bytes.fromhex(digits[0].decode("ascii")))
        self.at += 4

    def single(self) -> None:
        close = self.data.find(b"'", self.at + 1, self.end)
        cut = self.data.find(b"\r", self.at + 1, self.end)
        if close < 0 or 0 <= cut < close:
            raise BadLine(self.at, "the quote ' is not closed before the end of the line")
        self.parts.append(self.data[self.at + 1 : close])
        self.at = close + 1

    def double(self) -> None:
        opened = self.at
        self.at += 1
        while self.at < self.end:
            char = self.data[self.at : self.at + 1]
            if char == b'"':
                self.at += 1
                return
            if char in b"\r\n":
                break
            self.inside(char)
        raise BadLine(opened, 'the quote " is not closed before the end of the line')

    def inside(self, char: bytes) -> None:
        """One step within double quotes."""
        if char == b"\\" and self.data[self.at + 1 : self.at + 2] == b"$":
            self.parts.append(b"$")
            self.at += 2
        elif char == b"\\":
            self.escape()
        elif char == b"$":
            self.variable()
        else:
            found = _IN_DOUBLE.match(self.data, self.at, self.end)
            assert found  # noqa: S101  # any other byte is plain
            self.parts.append(found[0])
            self.at = found.end()

    def variable(self) -> None:
        found = _VARIABLE.match(self.data, self.at, self.end)
        if not found:
            what = "a brace is not closed" if self.data[self.at + 1 : self.at + 2] == b"{" else "a name is expected"
            raise BadLine(self.at, f'after "$": {what}; a plain dollar is written "\\$"')
        first, *more = _BETWEEN.split(self.value(found)) if found[2] else [self.value(found)]
        self.at = found.end()
        self.parts.append(first)
        for part in more:
            self.word()
            self.parts.append(part)

    def value(self, found: re.Match[bytes]) -> bytes:
        """What stands for a variable: its value, its default, or its own text where neither is known."""
        name = (found[1] or found[4]).decode("ascii")
        value = None if self.env is None else self.env.get(name)
        if value is not None:
            return value.encode("utf-8", "surrogateescape")
        if found[3]:
            return found[3][1:]
        ours = name.startswith((".", "HAPROXY_"))  # HAProxy sets these itself
        return found[0] if self.env is None or ours else b""


def quoted(text: str) -> bytes:
    """The text as one word that means exactly it; plain where that will do."""
    data = text.encode("utf-8", "surrogateescape")
    if data and not SPECIAL.search(data) and not re.search(rb"\s", data):
        return data
    return b'"' + re.sub(rb'(["\\$])', rb"\\\1", data).replace(b"\n", b"\\n").replace(b"\r", b"\\r") + b'"'
