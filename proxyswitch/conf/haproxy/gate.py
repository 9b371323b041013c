"""Maintenance of a pool as two lines of its section: a rule that answers 503 to all but a few, below a comment of ours.

The rules of a section are asked in their order, so ours stands before any other that could answer (configuration manual,
`http-request return`). It is known again by its page, which lies in a folder of ours, or by the comment right above it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from proxyswitch.conf.haproxy import lexer
from proxyswitch.conf.haproxy.config import Config
from proxyswitch.conf.haproxy.document import Document, Line
from proxyswitch.conf.haproxy.pools import Backend, backends
from proxyswitch.conf.text import Edit, Span, apply, line_span, trimmed
from proxyswitch.errors import UsageError

if TYPE_CHECKING:
    from proxyswitch.conf.haproxy.referee import Row

MARK = b"# proxyswitch: closed for maintenance"
MOST_ALLOWED = 49  # a line of HAProxy has at most 64 words (MAX_LINE_ARGS)
# Lines that HAProxy obeys before any `http-request`, and warns about where they stand behind one.
_EARLIER = (b"tcp-request", b"monitor")
_LATER = (b"http-request", b"redirect", b"use-server", b"use_backend")
_DOTTED = re.compile(rb"^[ \t]*\.", re.MULTILINE)


class Gate(NamedTuple):
    """What the rule says: the file of the page, the Retry-After in seconds, and who gets in all the same."""

    page: str
    retry_after: int
    allow: tuple[str, ...] = ()


def rule(gate: Gate) -> bytes:
    """The line without its indentation and line end. Without a condition HAProxy would warn about the rules behind it."""
    page = lexer.quoted(gate.page)
    page = page if page[:1] == b'"' else b'"%b"' % page
    text = b'http-request return status 503 content-type "text/html" file %b hdr Retry-After "%d"' % (page, gate.retry_after)
    return text + (b" unless { src %b }" % " ".join(gate.allow).encode() if gate.allow else b" if TRUE")


def lines(backend: Backend, folder: str) -> list[Line]:
    """The rules of ours in the section; `folder` is where our pages lie."""
    return [line for line in backend.section.lines if _ours(backend.document, line, folder)]


def _ours(document: Document, line: Line, folder: str) -> bool:
    if line.keyword != b"http-request":
        return False
    words = document.text(line)
    if words[1:2] != ["return"] or "file" not in words[2:-1]:
        return False
    page = words[words.index("file", 2) + 1]
    return page.startswith(folder + "/") or _line_above(document, line) == MARK


def _line_above(document: Document, line: Line) -> bytes:
    start = line_span(document.data, line.start).start
    above = line_span(document.data, start - 1) if start else Span(0, 0)
    return document.data[above.start : above.end].strip()


def told(backend: Backend, folder: str) -> str:
    """What the rule says in a sentence; empty where there is none."""
    found = lines(backend, folder)
    if not found:
        return ""
    words = backend.document.text(found[0])
    after = words[words.index("Retry-After") + 1] if "Retry-After" in words[:-1] else ""
    allow = words[words.index("src") + 1 :] if "src" in words else []
    allow = allow[: allow.index("}")] if "}" in allow else allow
    retry = f", Retry-After {after} s" if after else ""
    but = f", but for {', '.join(allow[:4])}{', …' if len(allow) > 4 else ''}" if allow else ""
    return f"closed for maintenance: 503{retry}{but}"


# the edits


def closing(backend: Backend, gate: Gate, folder: str) -> list[Edit]:
    """What closes the pool; a rule that is there already becomes this one where it stands. None where it is so already.

    Raises UsageError where several rules of ours are there: which of them would be meant?
    """
    found, document = lines(backend, folder), backend.document
    new = rule(gate)
    if len(found) > 1:
        places = ", ".join(str(document.where(line)) for line in found)
        raise UsageError(
            f"{backend.name} is closed by {len(found)} rules: {places}",
            next_step=f"take them out with: proxyswitch maintenance {backend.name} off; then close it again",
        )
    if not found:
        return [_added(backend, new)]
    words = document.words(found[0])
    if [w.value for w in words] == [w.value for w in lexer.words(new, 0, len(new))]:
        return []
    span = Span(words[0].start, words[-1].end)
    return [trimmed(span.start, document.data[span.start : span.end], new)]


def _added(backend: Backend, text: bytes) -> Edit:
    """Both lines, indented and ended as their neighbours are."""
    data, section = backend.document.data, backend.section
    first = section.lines[0] if section.lines else None
    indent = data[line_span(data, first.start).start : first.start] if first else b"    "
    at = line_span(data, _before(backend).start)
    head = line_span(data, section.head.start)
    newline = b"\r\n" if data[head.start : head.end].endswith(b"\r\n") else b"\n"
    new = indent + MARK + newline + indent + text
    ended = data[at.start : at.end].endswith(b"\n")
    return Edit(Span(at.end, at.end), new + newline if ended else newline + new)


def _before(backend: Backend) -> Line:
    """The line behind which the rule goes: the head, or the last of those that are obeyed before it anyhow."""
    last = head = backend.section.head
    for line in backend.section.lines:
        if line.keyword in _LATER:
            break
        if line.keyword in _EARLIER:
            last = line
    return head if _DOTTED.search(backend.document.data, head.end, last.start) else last


def opening(backend: Backend, folder: str) -> list[Edit]:
    """What opens the pool: the rules of ours go, and the comments above them, wherever they stand in the section now."""
    found, data = lines(backend, folder), backend.document.data
    if not found:
        return []
    spans = sorted({*(line_span(data, line.start) for line in found), *_marks(backend)})
    edits = [Edit(span, b"") for span in spans]
    if spans[-1].end == len(data) and not data.endswith(b"\n"):  # the line end before them was ours too
        start = _joined(spans)
        edits = [e for e in edits if e.span.start < start]
        edits.append(Edit(Span(start - len(_ending(data[:start])), len(data)), b""))
    return edits


def _joined(spans: list[Span]) -> int:
    """Where the last of these lines begin that follow on one another."""
    start = spans[-1].start
    for span in reversed(spans):
        start = span.start if span.end == start else start
    return start


def _ending(data: bytes) -> bytes:
    return next((end for end in (b"\r\n", b"\n") if data.endswith(end)), b"")


def _marks(backend: Backend) -> Iterator[Span]:
    document, section = backend.document, backend.section
    at = line_span(document.data, section.head.start).end
    while at < _end(document, section.head):
        span = line_span(document.data, at)
        if document.data[span.start : span.end].strip() == MARK:
            yield span
        at = span.end


def _end(document: Document, head: Line) -> int:
    return next((s.head.start for s in document.sections if s.head.start > head.start), len(document.data))


# was it the intended edit?


def verify(config: Config, backend: Backend, data: bytes, gate: Gate | None, folder: str) -> None:
    """Raise UnintendedEdit unless `data`, the new text of the pool's file, differs by just our lines."""
    from proxyswitch.conf.haproxy import config as configs
    from proxyswitch.conf.haproxy.verify import UnintendedEdit

    document = backend.document
    known = {d.path: d.data for d in config.documents}
    after = configs.load(config.files, config.facts, known.__getitem__, {document.real: data})
    found = backends(after, backend.name)
    if len(found) != 1 or not _says(found[0], gate, folder):
        raise UnintendedEdit(f"the edit would not have {'closed' if gate else 'opened'} the pool {backend.name} alone")
    if _bytes_besides(found[0], folder) != _bytes_besides(backend, folder):
        raise UnintendedEdit(f"the edit would have changed other bytes of {document.path} than the lines of the gate")
    for old, new in zip(config.documents, after.documents, strict=True):
        if _lines_besides(old, backend, folder) != _lines_besides(new, found[0], folder):
            raise UnintendedEdit(f"the edit would have changed more than the pool {backend.name} in {old.path}")
    second_reader(backend, found[0], folder)


def _says(backend: Backend, gate: Gate | None, folder: str) -> bool:
    found = lines(backend, folder)
    if gate is None or len(found) != 1:
        return gate is None and not found
    only = ["unless", "{", "src", *gate.allow, "}"] if gate.allow else ["if", "TRUE"]
    answer = ["status", "503", "content-type", "text/html", "file", gate.page, "hdr", "Retry-After", str(gate.retry_after)]
    return backend.document.text(found[0]) == ["http-request", "return", *answer, *only]


def _bytes_besides(backend: Backend, folder: str) -> bytes:
    return apply(backend.document.data, opening(backend, folder))


def _lines_besides(document: Document, backend: Backend, folder: str) -> list[tuple[bytes, bool]]:
    """Every line that says something, in its section, but for the rules of ours in that pool."""
    inside = document.real == backend.document.real
    skip = {line.start for line in lines(backend, folder)} if inside else set()
    found = [line for s in document.sections for line in (s.head, *s.lines) if line.start not in skip]
    return [(document.data[line.start : line.end], line.sure) for line in found]


def second_reader(before: Backend, after: Backend, folder: str) -> bool:
    """Does pyhaproxy see the same difference? False where it cannot judge. Raises UnintendedEdit where it sees another."""
    from proxyswitch.conf.haproxy import referee
    from proxyswitch.conf.haproxy.verify import UnintendedEdit

    first, second = referee.rows(before), referee.rows(after)
    ours = _seen(before, folder), _seen(after, folder)
    if (
        first is None or not _takes(first, ours[0]) or any("#" in value for _, value in ours[1])
    ):  # it takes that for a comment
        return False
    if second is None or not _takes(second, ours[1]) or first != second:
        raise UnintendedEdit(
            f"{before.document.path}: the second reader, pyhaproxy, does not see just the gate of {before.name} differ"
        )
    return True


def _seen(backend: Backend, folder: str) -> Counter[Row]:
    """Our rules in pyhaproxy's form."""
    data = backend.document.data
    found = [data[line.start : line.end].split(None, 1)[1].strip() for line in lines(backend, folder)]
    values = [{"keyword": "http-request", "value": text.decode("utf-8", "surrogateescape")} for text in found]
    return Counter(("Config", str(value)) for value in values)


def _takes(rows: list[Row], ours: Counter[Row]) -> bool:
    """Take these rows out; False unless all are there, as often."""
    if any(rows.count(row) != count for row, count in ours.items()):
        return False
    rows[:] = [row for row in rows if row not in ours]
    return True
