"""Spans of a byte string, and edits of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple


class Span(NamedTuple):
    """Bytes `start` to `end`, the end not included."""

    start: int
    end: int


class Edit(NamedTuple):
    """The bytes of `span` become `replacement`. An empty span inserts."""

    span: Span
    replacement: bytes


class Position(NamedTuple):
    """A place for people: line and column count from 1, the column in bytes."""

    line: int
    column: int


def apply(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The data with all edits made, from the end backwards. Raises ValueError when two overlap.

    Two insertions at one place keep the order in which they were given.
    """
    ordered = sorted(edits, key=lambda edit: edit.span)
    limit = len(data)
    for edit in reversed(ordered):
        if not 0 <= edit.span.start <= edit.span.end <= limit:
            raise ValueError(f"edit {edit} overlaps another or lies outside the text")
        data = data[: edit.span.start] + edit.replacement + data[edit.span.end :]
        limit = edit.span.start
    return data


def trimmed(start: int, old: bytes, new: bytes) -> Edit:
    """The edit that turns `old`, found at `start`, into `new`, without the bytes that both begin or end with."""
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    return Edit(Span(start + head, start + len(old) - tail), new[head : len(new) - tail])


def _common(one: bytes, other: bytes) -> int:
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


@lru_cache(maxsize=8)
def _line_starts(data: bytes) -> list[int]:
    starts, at = [0], data.find(b"\n")
    while at >= 0:
        starts.append(at + 1)
        at = data.find(b"\n", at + 1)
    return starts


def position(data: bytes, offset: int) -> Position:
    """The line and column of a byte offset."""
    starts = _line_starts(data)
    line = bisect_right(starts, offset)
    return Position(line, offset - starts[line - 1] + 1)


def line_span(data: bytes, offset: int) -> Span:
    """The line that holds `offset`, its line end included."""
    start = data.rfind(b"\n", 0, offset) + 1
    end = data.find(b"\n", offset)
    return Span(start, len(data) if end < 0 else end + 1)


def newline_of(data: bytes) -> bytes:
    """The line end that the file uses: that of its first line."""
    at = data.find(b"\n")
    return b"\r\n" if at > 0 and data[at - 1 : at] == b"\r" else b"\n"
