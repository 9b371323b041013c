"""Server blocks that ask for the flag of a pool in instant mode: `if (-e F/green/$bucket) { set $v P_green; }`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from proxyswitch.conf.nginx.instant import BLUE, GREEN, SLOTS
from proxyswitch.lint.nginx.tree import Block, Config, Item, Upstream

_FLAG = re.compile(r"/.*/green/\$(?:\w+|\{\w+\})\)", re.ASCII)


class Ask(NamedTuple):
    """One of them: where it asks, the block around it, and the name of the pool without its slot."""

    item: Item
    server: Block
    pool: str


class Side(NamedTuple):
    """One slot of a pool that has both, and the other one."""

    slot: str
    upstream: Upstream
    other: Upstream


def asks(config: Config) -> list[Ask]:
    """All of them; the form is that of conf.nginx.instant."""
    return config.once(_asks)


def _asks(config: Config) -> list[Ask]:
    return [ask for block in config.blocks(b"if") if len(block.items) == 1 for ask in _ask(block)]


def _ask(block: Block) -> Iterator[Ask]:
    (inner,), (test, *words) = block.items, block.args or [""]
    if not block.above or test != "(-e" or len(words) != 1 or not _FLAG.fullmatch(words[0]) or inner.name != b"set":
        return
    variable, *value = inner.args or [""]
    pool = "".join(value).removesuffix("_green")
    before = [item.args for item in block.above.own(b"set")]
    if "".join(value) == f"{pool}_{GREEN}" and [variable, f"{pool}_{BLUE}"] in before:
        yield Ask(inner, block.above, pool)


def sides(config: Config) -> Iterator[Side]:
    """The slots of all such pools, each once, whose servers are all known."""
    for pool in dict.fromkeys(ask.pool for ask in asks(config)):
        both = [config.upstream(f"{pool}_{slot}") for slot in SLOTS]
        for slot, upstream, other in zip(SLOTS, both, reversed(both), strict=True):
            if upstream and other and not (upstream.block.hidden or other.block.hidden):
                yield Side(slot, upstream, other)
