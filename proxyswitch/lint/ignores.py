"""Comments that let a rule pass: `# proxyswitch: ignore=RULE[,RULE] reason`, in SQL behind `--`.

One behind a directive or a statement is for its line. One that stands alone is for the next line that says something.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from proxyswitch.conf.text import Edit, Span, line_span, position
from proxyswitch.lint.finding import Found, Text

_COMMENT = re.compile(rb"(?:#|--|/\*)[ \t]*proxyswitch:[ \t]*ignore\b[ \t]*(?:=[ \t]*(?P<rules>[^\s*]*))?[^\r\n]*")
_SAYS_NOTHING = re.compile(rb"[ \t\r]*(?:(?:#|--)[^\n]*)?\n?\Z")


@dataclass(slots=True)
class Ignore:
    """One comment: where it begins, which rules it names, on which lines they may be broken, and which of them were."""

    span: Span
    rules: tuple[str, ...]
    lines: frozenset[int]
    used: set[str] = field(default_factory=set)


def comments(data: bytes) -> list[Ignore]:
    """The comments in a text of nginx or HAProxy, by their look: one inside a quoted word counts too."""
    if b"proxyswitch:" not in data:
        return []
    return [_read(data, found) for found in _COMMENT.finditer(data)]


def _read(data: bytes, found: re.Match[bytes]) -> Ignore:
    text = (found["rules"] or b"").decode("utf-8", "replace")
    names = tuple(name for name in text.split(",") if name)
    alone = not data[line_span(data, found.start()).start : found.start()].strip()
    at = _next(data, found.end()) if alone else found.start()
    return Ignore(Span(*found.span()), names, frozenset({position(data, at).line}))


def _next(data: bytes, at: int) -> int:
    """The begin of the next line that is neither blank nor a comment."""
    at = line_span(data, at).end
    while at < len(data) and _SAYS_NOTHING.match(data[slice(*line_span(data, at))]):
        at = line_span(data, at).end
    return at


@dataclass(slots=True)
class Ignores:
    """Those of one file."""

    text: Text
    all: list[Ignore]

    def has(self, rule: str, lines: Iterable[int]) -> bool:
        """True when a rule may be broken on one of the lines; that comment is used then."""
        wanted, found = set(lines), False
        for ignore in self.all:
            if rule in ignore.rules and wanted & ignore.lines:
                ignore.used.add(rule)
                found = True
        return found

    def unused(self, ran: Iterable[str]) -> Iterator[Found]:
        """Comments that let nothing pass, though the rules were asked that they name."""
        asked = set(ran)
        for ignore in self.all:
            idle = [rule for rule in ignore.rules if rule in asked and rule not in ignore.used]
            whole = len(idle) == len(ignore.rules)
            for rule in idle:
                fixes = (self._removed(ignore),) if whole and rule == idle[0] else ()
                yield Found(self.text, ignore.span.start, f"nothing here breaks {rule}: this comment can go", fixes)

    def _removed(self, ignore: Ignore) -> Edit:
        """The comment away, with its line where it stands alone."""
        data = self.text.data
        line = line_span(data, ignore.span.start)
        before = data[line.start : ignore.span.start]
        if not before.strip():
            return Edit(line, b"")
        return Edit(Span(ignore.span.start - len(before) + len(before.rstrip(b" \t")), ignore.span.end), b"")
