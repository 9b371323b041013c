"""Bytes → text, and offsets in it → lines and columns."""

from __future__ import annotations

import re
from bisect import bisect_right

from proxyswitch.errors import ConfigError
from proxyswitch.lint.finding import Source

_LINE_END = re.compile(r"\r\n|\r|\n")
SAVE_AS = "save it as UTF-8"


def decode(source: Source) -> str:
    """The text of a file. Raises ConfigError for one that is binary, or not UTF-8."""
    if b"\0" in source.data:
        raise ConfigError("this is no text: it has a byte 0", path=source.path, next_step=f"if it is SQL, {SAVE_AS}")
    try:
        return source.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = source.data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise ConfigError("not UTF-8", path=source.path, line=line, column=column, next_step=SAVE_AS) from None


class Lines:
    """The lines of a text."""

    def __init__(self, text: str) -> None:
        self.starts = [0, *(m.end() for m in _LINE_END.finditer(text))]

    def place(self, at: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1, the column in characters."""
        line = bisect_right(self.starts, at)
        return line, at - self.starts[line - 1] + 1
