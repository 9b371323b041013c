"""Places in a text."""

from __future__ import annotations


def offset(data: bytes, line: int, column: int) -> int:
    """The byte at a line and a column, both from 1, the column in bytes; the end of the text where it has no such line."""
    at = 0
    for _ in range(line - 1):
        end = data.find(b"\n", at)
        if end < 0:
            return len(data)
        at = end + 1
    return min(at + max(column, 1) - 1, len(data))
