"""Command lines without what looks like a secret: they go into a file that is committed, and onto shared screens."""

from __future__ import annotations

import re
from collections.abc import Iterable

FILL = "FILL_IN"
_NAME = (
    r"[\w.-]*(?:pass(?!enger)|pwd|secret|token|credential|auth|apikey|api[_-]key|private|dsn|salt|[_-]key\b|^-*key\b)[\w.-]*"
)
_PAIR = re.compile(rf"({_NAME})([=:]\s*|\s+)(?!//)((?:bearer|basic)\s+)?(\"[^\"]*\"|'[^']*'|[^\s\"']+)", re.IGNORECASE)
_OPTION = re.compile(rf"-+{_NAME}", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_LONG = re.compile(r"(?<![\w./-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{32,}(?![\w./-])")


def mask(words: Iterable[str]) -> tuple[str, ...]:
    """The words; FILL_IN stands for what may be a password, a token or a key."""
    shown: list[str] = []
    hide = False
    for word in words:
        if hide and not word.startswith("-"):
            shown.append(FILL)
        else:
            shown.append(_masked(word))
        hide = bool(_OPTION.fullmatch(word))
    return tuple(shown)


def _masked(word: str) -> str:
    word = _USERINFO.sub(f"{FILL}@", word)
    word = _PAIR.sub(lambda found: f"{found[1]}{found[2]}{found[3] or ''}{FILL}", word)
    return _LONG.sub(FILL, word)
