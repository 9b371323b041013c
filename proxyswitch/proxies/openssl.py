"""Which OpenSSL a program runs with, from what it says of itself."""

from __future__ import annotations

import re


def version(text: str) -> tuple[int, ...]:
    """The last one that it names: first the one it was built with, then the one that is here. Empty for another library."""
    found = re.findall(r"OpenSSL (\d+(?:\.\d+)+)", text)
    return tuple(int(n) for n in found[-1].split(".")) if found else ()
