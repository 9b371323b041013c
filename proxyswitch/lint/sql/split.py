"""SQL text → its statements with their places, before any parser has seen it.

A parser gets one statement at a time, so that one that it cannot read spoils no other. Quotes, comments and dollar
quotes as PostgreSQL, MySQL and SQLite have them, psql's commands, the rows behind COPY … FROM stdin, and the
DELIMITER of the mysql client.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

_COMMON = r"""
  (?P<space>\s+)
| (?P<comment>{comment})
| (?P<block>/\*)
| (?P<string>{string})
| (?P<name>{name})
| (?P<dollar>{dollar})
| (?P<word>\w[\w$]*)
| (?P<other>.)
"""
_PLAIN = r"'[^']*+(?:''[^']*+)*+(?:'|\Z)"
_BACKSLASH = r"'(?:[^'\\]|\\.|'')*+(?:'|\Z)"
_QUOTED = r'"[^"]*+(?:""[^"]*+)*+(?:"|\Z)'
_TICKS = r"`[^`]*+(?:`|\Z)"
_NEVER = r"(?!)"
_DASHES = r"--[^\n\r]*"


def _lexer(string: str, name: str, dollar: str = _NEVER, comment: str = _DASHES) -> re.Pattern[str]:
    return re.compile(_COMMON.format(string=string, name=name, dollar=dollar, comment=comment), re.X | re.S)


LEXERS = {
    "mysql": _lexer(rf"{_BACKSLASH}|" + _BACKSLASH.replace("'", '"'), _TICKS, comment=r"--(?=\s|\Z)[^\n\r]*|\#[^\n\r]*"),
    "postgres": _lexer(rf"[eE]{_BACKSLASH}|{_PLAIN}", _QUOTED, r"\$(?P<tag>[^\W\d]\w*|)\$.*?(?:\$(?P=tag)\$|\Z)"),
    "sqlite": _lexer(_PLAIN, rf"{_QUOTED}|{_TICKS}|\[[^\]]*+(?:\]|\Z)"),
}
_CONDITIONAL = re.compile(r"/\*M?!\d*(.*?)\*/", re.S)  # MySQL, or MariaDB, runs what is in there
_ROWS_END = re.compile(r"^\\\.[ \t]*\r?$", re.M)
_LINE_END = re.compile(r"\r\n|\r|\n|\Z")
_DELIMITER = re.compile(r"(?i)delimiter[ \t]+\S")
_BODY = {"TRIGGER", "FUNCTION", "PROCEDURE", "EVENT"}


class Token(NamedTuple):
    """A word, a name, a string, or a character; `at` is its offset in the file."""

    kind: str
    text: str
    at: int

    @property
    def end(self) -> int:
        return self.at + len(self.text)


class Comment(NamedTuple):
    """A comment; `alone` when nothing else stands before it on its line."""

    text: str
    at: int
    alone: bool


@dataclass(frozen=True)
class Statement:
    """A statement without what ends it; `command` for a line that is for the client, not for the server."""

    tokens: tuple[Token, ...]
    text: str
    command: bool = False
    rows: bool = False  # rows of COPY follow

    @property
    def at(self) -> int:
        return self.tokens[0].at

    @cached_property
    def words(self) -> str:
        """The tokens with one space between, words in capitals: for patterns."""
        return " ".join(t.text.upper() if t.kind == "word" else t.text for t in self.tokens)


@dataclass
class Splitter:
    """One walk over a text. `comments` fills while `statements` is read."""

    text: str
    dialect: str
    comments: list[Comment] = field(default_factory=list)
    _at: int = 0
    _ends_with: str = ";"
    _tokens: list[Token] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.dialect == "mysql":
            self.text = _CONDITIONAL.sub(lambda m: m[1].rjust(len(m[0]) - 2) + "  ", self.text)

    def statements(self) -> Iterator[Statement]:
        match = LEXERS[self.dialect].match
        while self._at < len(self.text):
            if self.text.startswith(self._ends_with, self._at):
                yield from self._ended()
            elif not self._tokens and self._for_client():
                yield self._client_line()
            elif found := match(self.text, self._at):
                self._take(found)
        yield from self._flush()

    def _take(self, found: re.Match[str]) -> None:
        kind, at = str(found.lastgroup if found.lastgroup != "tag" else "dollar"), self._at
        self._at = found.end()
        if kind == "block":
            self._at = _block_end(self.text, at, nested=self.dialect == "postgres")
        if kind in ("comment", "block"):
            self.comments.append(Comment(self.text[at : self._at], at, not _before(self.text, at)))
        elif kind != "space":
            self._tokens.append(Token(kind, found.group(), at))

    def _ended(self) -> Iterator[Statement]:
        if self._ends_with == ";" and _inside_body(self._tokens):
            self._tokens.append(Token("other", ";", self._at))
            self._at += 1
            return
        self._at += len(self._ends_with)
        yield from self._flush()

    def _flush(self) -> Iterator[Statement]:
        if not self._tokens:
            return
        made = Statement(tuple(self._tokens), self.text[self._tokens[0].at : self._tokens[-1].end])
        self._tokens = []
        if self.dialect == "postgres" and re.match(r"COPY .* FROM STDIN\b", made.words, re.S):
            made = Statement(made.tokens, made.text, rows=True)
            end = _ROWS_END.search(self.text, self._at)
            self._at = end.end() if end else len(self.text)
        yield made

    def _for_client(self) -> bool:
        if self.dialect == "postgres":
            return self.text[self._at] == "\\"
        return self.dialect == "mysql" and _DELIMITER.match(self.text[self._at : self._at + 80]) is not None

    def _client_line(self) -> Statement:
        """A command of psql, or DELIMITER: up to the end of the line."""
        end = _LINE_END.search(self.text, self._at)
        stop = end.start() if end else len(self.text)
        line, at = self.text[self._at : stop].rstrip(), self._at
        self._at = stop
        if self.dialect == "mysql":
            self._ends_with = line.split()[1]
        return Statement((Token("command", line, at),), line, command=True)


_MARK = re.compile(r"/\*|\*/")
_CLOSE = re.compile(r"\*/")


def _block_end(text: str, at: int, *, nested: bool) -> int:
    """The end of a block comment; PostgreSQL has them in one another."""
    depth = 1
    for mark in (_MARK if nested else _CLOSE).finditer(text, at + 2):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return mark.end()
    return len(text)


def _before(text: str, at: int) -> str:
    """What stands before a place on its line."""
    return text[max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1 : at].strip()


def _inside_body(tokens: list[Token]) -> bool:
    """True at a `;` inside the body of a trigger or a routine, between BEGIN and END."""
    if not tokens or tokens[0].text.upper() != "CREATE" or not _BODY & {t.text.upper() for t in tokens[:8]}:
        return False
    words = [t.text.upper() for t in tokens if t.kind == "word"]
    return words.count("BEGIN") + words.count("CASE") > words.count("END")
