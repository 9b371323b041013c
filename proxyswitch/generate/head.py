"""The head of a file that we made: the command that made it, and a mark that tells whether it was edited since.

The mark is a hash of all below the head, so it needs no memory of ours: the file can go to another machine.
"""

from __future__ import annotations

import hashlib
import re

MARK = re.compile(r"made by proxyswitch, text ([0-9a-f]{12});")
SHEBANG = "#!"


def put(body: str, comment: str, command: str) -> str:
    """The text with its head. A first line that must stay the first, as `#!/bin/sh`, does."""
    first, body = _first_line(body)
    lines = (
        f"{comment} {command}",
        f"{comment} made by proxyswitch, text {digest(body)}; what is edited below is kept: see it with --diff",
    )
    return first + "\n".join(lines) + "\n" + body


def _first_line(text: str) -> tuple[str, str]:
    if not text.startswith(SHEBANG):
        return "", text
    first, _, rest = text.partition("\n")
    return f"{first}\n", rest


def digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def mark(text: str) -> str:
    """The hash that the head tells; empty for a file that we did not make."""
    found = MARK.search(text[:4000])
    return found[1] if found else ""


def edited(text: str) -> bool:
    """True for a file of ours that is not as we made it."""
    found = MARK.search(text[:4000])
    if not found:
        return False
    _, _, body = text[found.end() :].partition("\n")
    return digest(body) != found[1]


def same(one: str, other: str) -> bool:
    """True for texts that differ in nothing but the command that made them."""
    return bool(mark(one)) and mark(one) == mark(other) and not edited(one)
