"""Durations as people write them: `30`, `30s`, `2m`, `1h`, `500ms`."""

from __future__ import annotations

import re

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
PATTERN = r"\d+(\.\d+)?(ms|s|m|h)?"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)\Z", re.ASCII)


def parse(text: str) -> float:
    """Seconds. Raises ValueError, which says what is expected."""
    match = _DURATION.match(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no duration: expected seconds, or as 500ms, 30s, 2m, 1h")
    return float(match[1]) * UNITS[match[2]]


def show(seconds: float) -> str:
    """A duration for people: `0.4 s`, `34 s`, `2 min 5 s`, `3 h 2 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min{f' {whole % 60} s' if whole % 60 else ''}"
    minutes = whole % 3600 // 60
    return f"{whole // 3600} h{f' {minutes} min' if minutes else ''}"
