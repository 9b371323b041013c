"""The word that somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable


def near(word: str, words: Iterable[str], cutoff: float = 0.6) -> str:
    """The word that is most like it; '' where none is."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(words), 1, cutoff)), "")


def meant(word: str, words: Iterable[str], cutoff: float = 0.6) -> str:
    """The same as the end of a message: `: did you mean …?`, or nothing."""
    close = near(word, words, cutoff)
    return f": did you mean {close}?" if close else ""


def slip(word: str, words: Iterable[str]) -> str:
    """The word that it is but for one slip: a letter too many, missing or wrong, two swapped, or a wrong case.

    Of three letters, two words are too often both right.
    """
    plain = _plain(word)
    return next((other for other in sorted(words) if len(other) > 3 and _one_slip(plain, _plain(other))), "")


def _plain(word: str) -> str:
    return word.lower().replace("_", "-")


def _one_slip(word: str, other: str) -> bool:
    while word and other and word[0] == other[0]:
        word, other = word[1:], other[1:]
    while word and other and word[-1] == other[-1]:
        word, other = word[:-1], other[:-1]
    return (len(word) < 2 and len(other) < 2) or (len(word) == 2 and word == other[::-1])
