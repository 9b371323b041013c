"""Every directive with the contexts that it may stand in, as bits of the tables: several where a snippet leaves it open.

What is inside a block of free form (`map`), or of a module that the tables do not have, is not among them.
"""

from __future__ import annotations

from collections.abc import Iterator

from crossplane import analyzer as a

from proxyswitch.lint.nginx import directives
from proxyswitch.lint.nginx.more_directives import EVERYWHERE
from proxyswitch.lint.nginx.tree import Block, Config, Item

# By the name of a block: around it → inside it.
_INSIDE: dict[bytes, tuple[tuple[int, int], ...]] = {
    b"events": ((a.NGX_MAIN_CONF, a.NGX_EVENT_CONF),),
    b"http": ((a.NGX_MAIN_CONF, a.NGX_HTTP_MAIN_CONF),),
    b"if": ((a.NGX_HTTP_SRV_CONF, a.NGX_HTTP_SIF_CONF), (a.NGX_HTTP_LOC_CONF, a.NGX_HTTP_LIF_CONF)),
    b"limit_except": ((a.NGX_HTTP_LOC_CONF, a.NGX_HTTP_LMT_CONF),),
    b"location": ((a.NGX_HTTP_SRV_CONF | a.NGX_HTTP_LOC_CONF, a.NGX_HTTP_LOC_CONF),),
    b"mail": ((a.NGX_MAIN_CONF, a.NGX_MAIL_MAIN_CONF),),
    b"server": (
        (a.NGX_HTTP_MAIN_CONF, a.NGX_HTTP_SRV_CONF),
        (a.NGX_STREAM_MAIN_CONF, a.NGX_STREAM_SRV_CONF),
        (a.NGX_MAIL_MAIN_CONF, a.NGX_MAIL_SRV_CONF),
    ),
    b"stream": ((a.NGX_MAIN_CONF, a.NGX_STREAM_MAIN_CONF),),
    b"upstream": ((a.NGX_HTTP_MAIN_CONF, a.NGX_HTTP_UPS_CONF), (a.NGX_STREAM_MAIN_CONF, a.NGX_STREAM_UPS_CONF)),
}
NAMES: tuple[tuple[int, str], ...] = (
    (a.NGX_MAIN_CONF, "the top level"),
    (a.NGX_EVENT_CONF, "events"),
    (a.NGX_HTTP_MAIN_CONF, "http"),
    (a.NGX_HTTP_SRV_CONF, "server"),
    (a.NGX_HTTP_LOC_CONF, "location"),
    (a.NGX_HTTP_LIF_CONF, "if in location"),
    (a.NGX_HTTP_SIF_CONF, "if in server"),
    (a.NGX_HTTP_LMT_CONF, "limit_except"),
    (a.NGX_HTTP_UPS_CONF, "upstream"),
    (a.NGX_STREAM_MAIN_CONF, "stream"),
    (a.NGX_STREAM_SRV_CONF, "server of stream"),
    (a.NGX_STREAM_UPS_CONF, "upstream of stream"),
    (a.NGX_MAIL_MAIN_CONF, "mail"),
    (a.NGX_MAIL_SRV_CONF, "server of mail"),
)


def directives_with_contexts(config: Config) -> Iterator[tuple[Item, int]]:
    """Every directive whose context is known, at least as a choice."""
    bits: dict[Block, int] = {}
    for block in config.all_blocks():  # each comes before those inside it
        bits[block] = _inside(config, block, bits[block.above]) if block.above else _top(config, block)
        if bits[block]:
            yield from ((item, bits[block]) for item in block.items)


def _top(config: Config, block: Block) -> int:
    return a.NGX_MAIN_CONF if config.whole or config.told else _guessed(block)


def _inside(config: Config, block: Block, around: int) -> int:
    """The contexts that the inside of a block can be; none where it is not one of the tables."""
    if not (block.item or config.told):
        return _guessed(block)
    bits = 0
    for outer, inner in _INSIDE.get(block.name, ()):
        bits |= inner if outer & around else 0
    return bits if config.whole or config.told else _narrowed(block, bits)


def _guessed(block: Block) -> int:
    """The top of a snippet is anything, as long as it is directives: not the inside of a `map` or of a module's block."""
    known = sum(directives.known(item.name) for item in block.items)
    return EVERYWHERE if known * 2 > len(block.items) else 0


def _narrowed(block: Block, bits: int) -> int:
    """In a snippet, what stands in a `server` tells of what it is one: a `location` is only in http."""
    for inner in block.blocks:
        bits = directives.where(inner.name) & bits or bits
    return bits


def words(bits: int) -> str:
    """The contexts in words."""
    return ", ".join(name for bit, name in NAMES if bit & bits)
