"""Where a `;` is missing: a later word of a directive begins a line, is a directive itself, and what follows fits it."""

from __future__ import annotations

import re

from proxyswitch.lint.nginx import directives
from proxyswitch.lint.nginx.tree import Item

# Where the words might be a list that was meant, a directive must look like nothing else.
_CLEAR = re.compile(
    r"\w+_\w+( .*)?|listen (\d|\[|unix:|\S+:\d).*|server \S+[.:]\S*.*|(root|alias|include) \S*[/$].*|index \S*\..*"
    r"|return \d{3}( .*)?|location .*|keepalive \d+|(gzip|sendfile|etag|autoindex|internal|http2)( (on|off))?"
)
# These refuse words that they do not know, so that there no list can be meant.
_STRICT = (b"listen", b"server")


def missing(item: Item, bits: int) -> list[int]:
    """The numbers of the words before which the `;` is missing, in a directive that stands in these contexts."""
    data, words = item.document.data, item.directive.words
    if len(words) < 3 or data.find(b"\n", words[1][0], words[-1][0]) < 0 or not directives.certain(item.name):
        return []
    breaks = [number for number in range(2, len(words)) if _is_directive(item, number, bits)]
    if not breaks:
        return []
    pieces = [_piece(item, *ends, bits) for ends in zip([0, *breaks], [*breaks, len(words)], strict=True)]
    if all(pieces) and (not _allowed(item, bits) or _clear(item, breaks)):
        return breaks
    return breaks[:1] if pieces[0] and not _allowed(item, bits) else []


def _is_directive(item: Item, number: int, bits: int) -> bool:
    """Whether a word begins a line, and is the name of a directive that may stand here."""
    data, (start, end) = item.document.data, item.directive.words[number]
    before = data[data.rfind(b"\n", 0, start) + 1 : start]
    return not before.strip() and bool(directives.where(data[start:end]) & bits)


def _piece(item: Item, start: int, end: int, bits: int) -> bool:
    """Whether these words are a directive with its arguments."""
    name = item.document.data[slice(*item.directive.words[start])] if start else item.name
    block = item.directive.body is not None and end == len(item.directive.words)
    return directives.fits(name, bits, item.args[start : end - 1], block=block)


def _allowed(item: Item, bits: int) -> bool:
    return directives.fits(item.name, bits, item.args, block=item.directive.body is not None)


def _clear(item: Item, breaks: list[int]) -> bool:
    if item.name in _STRICT:
        return True
    args = item.args
    ends = [*breaks[1:], len(args) + 1]
    return all(_CLEAR.fullmatch(" ".join(args[at - 1 : end - 1])) for at, end in zip(breaks, ends, strict=True))
