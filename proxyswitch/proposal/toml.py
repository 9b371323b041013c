"""Values as TOML writes them (toml.io/en/v1.0.0): texts in double quotes, lists, numbers, tables in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

LINES = re.compile(r"[\x7f-\x9f\u2028\u2029]")  # forbidden, or the end of a line for an editor
BARE = re.compile(r"[A-Za-z0-9_-]+")


def value(what: object) -> str:
    """Bytes of a name that are no UTF-8, which TOML cannot hold, become question marks."""
    if isinstance(what, Mapping):
        return "{ " + ", ".join(f"{key(name)} = {value(item)}" for name, item in what.items()) + " }"
    if isinstance(what, list | tuple):
        return "[" + ", ".join(value(item) for item in what) + "]"
    if isinstance(what, bool | int | float):
        return json.dumps(what)
    text = str(what).encode("utf-8", "replace").decode()
    return LINES.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def key(name: str) -> str:
    """A key, in quotes only where it needs them."""
    return name if BARE.fullmatch(name) else value(name)


def comment(text: str) -> str:
    """Text that stays in its comment, whatever is in it."""
    plain = text.encode("utf-8", "replace").decode()
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", plain)
