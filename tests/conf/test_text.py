from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyswitch.conf import text
from proxyswitch.conf.text import Edit, Position, Span


def test_edits_are_made_from_the_end() -> None:
    edits = [Edit(Span(0, 1), b"XX"), Edit(Span(4, 6), b""), Edit(Span(2, 2), b"-"), Edit(Span(2, 2), b"+")]
    assert text.apply(b"abcdef", edits) == b"XXb-+cd"
    assert text.apply(b"abc", []) == b"abc"


@pytest.mark.parametrize(
    "edits",
    [
        [Edit(Span(0, 3), b""), Edit(Span(2, 4), b"")],
        [Edit(Span(0, 3), b""), Edit(Span(1, 1), b"x")],
        [Edit(Span(2, 1), b"")],
        [Edit(Span(0, 99), b"")],
        [Edit(Span(-1, 1), b"")],
    ],
)
def test_edits_that_overlap_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="overlaps another or lies outside"):
        text.apply(b"abcdef", edits)


@given(st.binary(max_size=40), st.data())
def test_bytes_outside_the_spans_stay(data: bytes, draw: st.DataObject) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    spans = [Span(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    new = [draw.draw(st.binary(max_size=5)) for _ in spans]
    expected, at = b"", 0
    for span, replacement in zip(spans, new, strict=True):
        expected += data[at : span.start] + replacement
        at = span.end
    edits = [Edit(s, r) for s, r in zip(spans, new, strict=True)]
    assert text.apply(data, edits) == expected + data[at:]


@given(st.binary(max_size=20), st.binary(max_size=20), st.binary(max_size=5))
def test_trimmed(old: bytes, new: bytes, before: bytes) -> None:
    edit = text.trimmed(len(before), old, new)
    assert text.apply(before + old, [edit]) == before + new
    if old[:1] == new[:1] != b"":
        assert edit.span.start > len(before)


def test_positions() -> None:
    data = b"a\nbc\r\n\nd"
    assert [text.position(data, at) for at in (0, 1, 2, 4, 6, 7, 8)] == [
        Position(1, 1),
        Position(1, 2),
        Position(2, 1),
        Position(2, 3),
        Position(3, 1),
        Position(4, 1),
        Position(4, 2),
    ]
    assert text.line_span(data, 3) == (2, 6)
    assert text.line_span(data, 7) == (7, 8)


def test_newlines() -> None:
    assert text.newline_of(b"a\r\nb\n") == b"\r\n"
    assert text.newline_of(b"a\nb\r\n") == b"\n"
    assert text.newline_of(b"\na") == text.newline_of(b"a") == b"\n"
