"""Headers as they are in effect: a block that sets one of a kind inherits none of that kind."""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.nginx.tree import Block, Item


def own(block: Block, directive: bytes) -> dict[str, Item]:
    """The headers that a block itself sets with that directive, by name in lower case."""
    return {item.args[0].lower(): item for item in block.own(directive) if len(item.directive.words) > 2}


def level(block: Block, directive: bytes) -> Block | None:
    """The block whose headers are in effect in this one; None where there is none, or where it is not known."""
    for outer in block.around():
        if outer.own(directive):
            return outer
        if outer.hidden:
            return None
    return None


def effective(block: Block, directive: bytes) -> dict[str, Item]:
    """The headers in effect in a block, as far as they are known."""
    found = level(block, directive)
    return own(found, directive) if found else {}


def hidden_by(block: Block, directive: bytes) -> Iterator[str]:
    """The names of the headers of the next level around that a block hides by its own, as they stand there."""
    outer = level(block.above, directive) if block.above and not block.hidden else None
    mine = own(block, directive)
    for name, item in (own(outer, directive) if outer else {}).items():
        if name not in mine:
            yield item.args[0]
