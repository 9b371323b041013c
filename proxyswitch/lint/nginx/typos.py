"""Names that are one slip of the pen away from another: a letter too few or too many, a wrong one, `-` for `_`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_BETWEEN = re.compile(r"[-_.]+")
_DIGITS = re.compile(r"\d+")
_LONG = 5  # in shorter words one letter makes another word: app, api

Index = dict[str, list[str]]


def index(names: Iterable[str]) -> Index:
    """The names by all that they are with one letter less: two that are near have one of these in common."""
    found: Index = {}
    for name in names:
        for key in _keys(name):
            found.setdefault(key, []).append(name)
    return found


def near(name: str, known: Index) -> str:
    """The known name that this one is a slip of; '' when there is none. Those that differ in a number are not near."""
    others = (other for key in _keys(name) for other in known.get(key, ())[:50])
    return next((other for other in others if _slip(_words(name), _words(other))), "")


def _words(name: str) -> list[str]:
    return _BETWEEN.split(name.lower())


def _keys(name: str) -> Iterator[str]:
    text = "".join(_words(name))
    yield text
    yield from (text[:at] + text[at + 1 :] for at in range(min(len(text), 64)))


def _slip(one: list[str], other: list[str]) -> bool:
    if "".join(one) == "".join(other):
        return True
    differ = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
    if len(one) != len(other) or len(differ) != 1:
        return False
    a, b = differ[0]
    return min(len(a), len(b)) >= _LONG and _DIGITS.sub("", a) != _DIGITS.sub("", b)
