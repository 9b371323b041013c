"""One line of a config cut into words and the gaps before them, so that a word can change and the rest stay aligned.

A word that changes its length, comes or goes would shift what stands aligned behind it; so the run of spaces that follows,
where there is more than one, gives or takes the difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from proxyswitch.conf.text import Edit, trimmed

_ALIGNING = re.compile(rb"[ ]{2,}\Z")
_TRAILING = re.compile(rb"[ ]{2,}(?=#)")


@dataclass(slots=True)
class Piece:
    """A word with the gap before it. `grown` is by how many bytes gap and word are longer than they were."""

    gap: bytes
    word: bytes
    meaning: str = ""
    grown: int = 0

    def set(self, word: bytes) -> None:
        self.grown += len(word) - len(self.word)
        self.word = word

    def cut(self) -> None:
        """Take the word out with the blanks before it; a line end or a comment there stays."""
        if self.gap.strip(b" \t") == b"":
            self.grown -= len(self.gap)
            self.gap = b""
        self.set(b"")


class Row:
    """The words from one place on, and the gap before a comment behind them."""

    def __init__(self, data: bytes, spans: Iterable[tuple[int, int]], meanings: Iterable[str], end: bytes = b"") -> None:
        """`end` is what closes the line behind the last word, such as a semicolon; blanks may stand before it."""
        self.data = data
        self.pieces: list[Piece] = []
        at = -1
        for (start, stop), meaning in zip(spans, meanings, strict=True):
            if at < 0:
                self.start = at = start
            self.pieces.append(Piece(data[at:start], data[start:stop], meaning))
            at = stop
        if end:
            stop = data.index(end, at)
            self.pieces.append(Piece(data[at:stop], end))
            at = stop + len(end)
        self.words = len(self.pieces)
        trailing = _TRAILING.match(data, at)
        self.pieces.append(Piece(trailing[0] if trailing else b"", b""))
        self.end = trailing.end() if trailing else at

    def edits(self) -> list[Edit]:
        """One edit for the bytes that differ."""
        new = b"".join(self._aligned())
        old = self.data[self.start : self.end]
        return [trimmed(self.start, old, new)] if new != old else []

    def insert(self, at: int, word: bytes) -> None:
        """A new word before piece number `at`."""
        self.pieces.insert(at, Piece(b" ", word, word.decode("utf-8", "surrogateescape"), len(word) + 1))

    def _aligned(self) -> Iterator[bytes]:
        """The pieces, each aligning gap made shorter or longer by what came before it on its line."""
        shift = 0
        for piece in self.pieces:
            gap = piece.gap
            if b"\n" in gap:
                shift = 0
            elif shift and _ALIGNING.match(gap):
                width = max(1, len(gap) - shift)
                shift += width - len(gap)
                gap = b" " * width
            shift += piece.grown
            yield gap + piece.word
