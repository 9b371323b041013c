"""One HAProxy config file: its lines and sections, every byte kept.

HAProxy reads line by line: a keyword and its arguments, which belong to the section that began last. Nothing spans lines, so
a file is never rewritten here: lines are located, and edits replace spans of bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from proxyswitch.conf.haproxy import condition, lexer
from proxyswitch.conf.haproxy.condition import Facts, Verdict
from proxyswitch.conf.haproxy.lexer import BadLine, Word
from proxyswitch.conf.text import position
from proxyswitch.errors import ConfigError
from proxyswitch.model import Where

# Every section of HAProxy 2.0 to 3.3 (`cfg_register_section` in src/), and those that modules of HAProxy Enterprise add.
SECTIONS = frozenset(
    b"acme backend cache crt-store defaults fcgi-app frontend global http-errors listen log-forward log-profile mailers"
    b" namespace_list peers program resolvers ring traces userlist"
    b" botmgmt-profile captcha dynamic-update rhi-bgp udp-lb waf-global waf-profile".split()
)
HASH, BACKSLASH = b"#\\"
_CARE = b"\"'\\\r"
# a line whose first word is as it stands, and whose quotes are closed
_SIMPLE = re.compile(rb"""[^\s"'#\\]+(?:\s(?:[^"'#\\\r]++|"[^"\\$\r]*"|'[^'\r]*')*+(?:#.*)?)?""")
_SAYS = (b".notice", b".warning", b".alert", b".diag")
_SETS = (b"setenv", b"presetenv", b"unsetenv")


class Line(NamedTuple):
    """A line that says something: from its first byte that is no blank to its line end. `sure` is False inside an
    `.if` whose condition cannot be known here; `plain` is True where no quote, escape or carriage return needs care."""

    start: int
    end: int
    keyword: bytes
    number: int
    plain: bool
    sure: bool = True


@dataclass(slots=True)
class Section:
    """A section: its head line, and the lines that belong to it."""

    keyword: bytes
    head: Line
    lines: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class Document:
    """One file as bytes, with its sections."""

    data: bytes
    path: str
    real: str = ""
    facts: Facts = field(default_factory=Facts)
    sections: list[Section] = field(default_factory=list)
    earlier: list[tuple[int, Facts]] = field(default_factory=list)  # what was known up to a line that changed it

    def dumps(self) -> bytes:
        """The bytes that were parsed."""
        return self.data

    def words(self, line: Line) -> list[Word]:
        """The words of a line, variables filled in where they are known."""
        facts = next((facts for number, facts in self.earlier if line.number <= number), self.facts)
        return lexer.words(self.data, line.start, line.end, facts.env)

    def text(self, line: Line) -> list[str]:
        """The same as text."""
        if line.plain:
            found = self.data[line.start : line.end].partition(b"#")[0].split()
            return [w.decode("utf-8", "surrogateescape") for w in found]
        return [w.value.decode("utf-8", "surrogateescape") for w in self.words(line)]

    def argument(self, line: Line) -> str:
        """The first argument of a line; '' for none."""
        return [*self.text(line), ""][1]

    def where(self, line: Line) -> Where:
        return Where(self.path, line.number)


def parse(data: bytes, path: str = "", facts: Facts | None = None) -> Document:
    """Read one file. Raises ConfigError with file, line and column for what HAProxy could not read either."""
    return _Parser(Document(data, path, facts=facts or Facts())).parse()


def _with_variable(document: Document, line: Line) -> Facts:
    """What is known behind a line that sets or removes a variable."""
    env, (_, name, *value) = document.facts.env, [*document.text(line), ""]
    if env is None or not line.sure:
        return document.facts
    env = dict(env)
    if line.keyword == b"unsetenv":
        for gone in (name, *value):
            env.pop(gone, None)
    elif line.keyword == b"setenv" or name not in env:
        env[name] = value[0] if value else ""
    return replace(document.facts, env=env)


def _lines(data: bytes) -> Iterator[Line]:
    """Every line that is neither blank nor a comment, with its first word as it stands."""
    at = 0
    for number, raw in enumerate(data.split(b"\n"), 1):
        text = raw.strip()
        if text and text[0] != HASH:
            start = at + raw.find(text[:1])
            end = start + len(text) if text[-1] != BACKSLASH else at + len(raw)  # a blank at the end may be escaped
            plain = len(text.translate(None, _CARE)) == len(text)
            yield Line(start, end, text.split(None, 1)[0], number, plain)
        at += len(raw) + 1


@dataclass(slots=True)
class _Branch:
    """An `.if` that is open: was it, or one of its `.elif`, true; is what stands here now read; what encloses it."""

    line: Line
    taken: Verdict
    now: Verdict
    outside: Verdict
    closed: bool = False  # `.else` was there


class _Parser:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.data = document.data
        self.branches: list[_Branch] = []
        self.lines: list[Line] | None = None

    def parse(self) -> Document:
        data, simple = self.data, _SIMPLE.fullmatch
        if b"\0" in data:
            raise self.error(data.index(b"\0"), "a NUL byte: for HAProxy the line ends there without a line end")
        for raw in _lines(data):
            known = raw.plain and HASH not in raw.keyword
            line = raw if known or simple(data, raw.start, raw.end) else self.checked(raw)
            if self.branches or line.keyword[:1] == b".":
                line = self.conditional(line)
            if line.keyword in SECTIONS:
                self.document.sections.append(Section(line.keyword, line))
                self.lines = self.document.sections[-1].lines
            elif line.keyword:
                self.add(line)
        if self.branches:
            raise self.error(len(data), f"the .if of line {self.branches[-1].line.number} has no .endif")
        return self.document

    def add(self, line: Line) -> None:
        """A line of the section that began last."""
        if line.keyword[:1] == b"[":  # a scope: for other programs that read the same file
            return
        if self.lines is None:
            raise self.error(line.start, self.astray(line))
        self.lines.append(line)
        if line.keyword in _SETS:
            after = _with_variable(self.document, line)
            self.document.earlier.append((line.number, self.document.facts))
            self.document.facts = after

    def conditional(self, line: Line) -> Line:
        """A line that decides about others, or that others decide about."""
        if line.keyword[:1] == b".":
            return self.dotted(line)
        now = self.branches[-1].now
        return line if now else line._replace(keyword=b"" if now is False else line.keyword, sure=False)

    def checked(self, line: Line) -> Line:
        """The line with the true meaning of its first word; one that is all comment has none."""
        try:
            found = lexer.words(self.data, line.start, line.end, self.document.facts.env)
        except BadLine as error:
            raise self.error(error.at, str(error)) from None
        return line._replace(keyword=found[0].value if found else b"")

    def dotted(self, line: Line) -> Line:
        """A line of conditional blocks. It says nothing itself."""
        word = line.keyword
        if word == b".if":
            outside: Verdict = self.branches[-1].now if self.branches else True
            value = self.value(line, outside) if outside is not False else False
            self.branches.append(_Branch(line, value, condition.both(outside, value), outside))
        elif word in (b".elif", b".else", b".endif"):
            self.branch(line)
        elif word not in _SAYS and (not self.branches or self.branches[-1].now):
            raise self.error(line.start, f"unknown directive {word.decode('utf-8', 'replace')!r}")
        return line._replace(keyword=b"")

    def branch(self, line: Line) -> None:
        name = line.keyword.decode()
        if not self.branches:
            raise self.error(line.start, f"{name} without .if")
        branch = self.branches[-1]
        if line.keyword == b".endif":
            self.branches.pop()
            return
        if branch.closed:
            raise self.error(line.start, f"{name} after .else")
        branch.closed = line.keyword == b".else"
        free = condition.both(branch.outside, None if branch.taken is None else not branch.taken)
        value = True if branch.closed or free is False else self.value(line, free)
        branch.now = condition.both(free, value)
        branch.taken = condition.either(branch.taken, value)

    def value(self, line: Line, reached: Verdict) -> Verdict:
        """What the condition says; one that cannot be read is no fault where HAProxy may never look at it."""
        text = " ".join(self.document.text(line)[1:])
        try:
            return condition.holds(text, self.document.facts)
        except condition.BadCondition as error:
            if not reached:
                return None
            raise self.error(line.start, str(error)) from None

    def astray(self, line: Line) -> str:
        from difflib import get_close_matches

        word = line.keyword.decode("utf-8", "replace")
        close = get_close_matches(word, [s.decode() for s in SECTIONS], 1, 0.7)
        hint = f"did you mean {close[0]}?" if close else "expected a section, such as global, defaults or backend"
        return f"{word!r} stands before any section: {hint}"

    def error(self, at: int, what: str) -> ConfigError:
        place = position(self.data, at)
        return ConfigError(what, path=self.document.path or "(text)", line=place.line, column=place.column)
