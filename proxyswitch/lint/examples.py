"""The examples in a rule's docstring: `FAIL` or `PASS`, perhaps with words as in `FAIL (mysql)`; then indented lines."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import NamedTuple

_EXAMPLE = re.compile(r"^(?P<verdict>FAIL|PASS)(?: \((?P<words>[\w, -]+)\))?\n(?P<text>(?:(?: {4}.*)?\n)+)", re.M)


class Example(NamedTuple):
    """What a rule says of a text: it fires (`FAIL`), or must not (`PASS`)."""

    fires: bool
    words: tuple[str, ...]
    text: str


def examples(doc: str) -> list[Example]:
    """The examples of a docstring, in their order."""
    return [
        Example(m["verdict"] == "FAIL", tuple(re.findall(r"[\w-]+", m["words"] or "")), dedent(m["text"]).strip("\n") + "\n")
        for m in _EXAMPLE.finditer(dedent(doc) + "\n")
    ]


def prose(doc: str) -> str:
    """The docstring without its examples."""
    return _EXAMPLE.sub("", dedent(doc) + "\n").strip()
