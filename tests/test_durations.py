"""Durations as people write and read them."""

from __future__ import annotations

import re

import pytest

from proxyswitch import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("30s", 30), ("2m", 120), ("1h", 3600), ("500ms", 0.5), ("1.5s", 1.5), ("0", 0), (" 5s ", 5)],
)
def test_parse(text: str, seconds: float) -> None:
    assert durations.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-1", "1 s", "1d", "1s2", "1,5s", ".5s", "1.s", "inf", "nan", "1e3", "٣s"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration: expected seconds, or as 500ms, 30s, 2m, 1h"):
        durations.parse(text)


@pytest.mark.parametrize("text", ["30", "30s", "2m", "1h", "500ms", "1.5s", "1d", "-1", "s"])
def test_the_pattern_of_the_schema_agrees(text: str) -> None:
    try:
        durations.parse(text)
    except ValueError:
        assert not re.fullmatch(durations.PATTERN, text)
    else:
        assert re.fullmatch(durations.PATTERN, text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.42, "0.4 s"),
        (9.94, "9.9 s"),
        (34.4, "34 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3599.7, "1 h"),
        (10920, "3 h 2 min"),
    ],
)
def test_show(seconds: float, text: str) -> None:
    assert durations.show(seconds) == text
