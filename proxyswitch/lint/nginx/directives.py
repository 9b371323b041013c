"""Which directives there are, where each may stand, and with how many arguments: crossplane's tables, and what they lack.

The tables are those of nginx and its own modules, as bit masks like nginx's own (`ngx_command_t`, src/core/ngx_conf_file.h).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from crossplane.analyzer import (
    CONTEXTS,
    DIRECTIVES,
    NGX_CONF_1MORE,
    NGX_CONF_2MORE,
    NGX_CONF_ANY,
    NGX_CONF_BLOCK,
    NGX_CONF_FLAG,
)

from proxyswitch.lint.nginx import modules
from proxyswitch.lint.nginx.more_directives import EVERYWHERE, MASKS

Path = tuple[bytes, ...]


@lru_cache(maxsize=4096)
def masks(name: bytes) -> list[int]:
    """What the tables say of a directive; nothing for one that they do not have."""
    text = name.decode("utf-8", "replace")
    return [*DIRECTIVES.get(text, []), *MASKS.get(text, [])]


@lru_cache(maxsize=4096)
def where(name: bytes) -> int:
    """The contexts in which a directive may stand, as bits."""
    bits = 0
    for mask in masks(name):
        bits |= mask & EVERYWHERE
    return bits


def known(name: bytes) -> bool:
    return bool(masks(name))


@lru_cache(maxsize=4096)
def allowed(name: bytes, path: Path) -> bool:
    """Whether a directive that is known may stand in these blocks; True where the tables do not know the blocks."""
    bit = context(path)
    return bit is None or any(mask & bit for mask in masks(name))


@lru_cache(maxsize=1024)
def context(path: Path) -> int | None:
    """The bit of a context; None for one that the tables do not have, such as the inside of a `map`."""
    names = tuple(name.decode("utf-8", "replace") for name in path)
    if "location" in names:  # however deep they are in each other, and whatever is around them
        names = ("http", "location", *names[len(names) - names[::-1].index("location") :])
    found: int | None = CONTEXTS.get(names)
    return found


@lru_cache(maxsize=4096)
def certain(name: bytes) -> bool:
    """Whether a directive is known so well that its context and its arguments can be judged."""
    return known(name) and not modules.changing(name.decode("utf-8", "replace"))


def fits(name: bytes, bits: int, args: Sequence[str], *, block: bool) -> bool:
    """Whether a directive can stand in these contexts with these arguments, as `ngx_conf_handler` counts them."""
    return any(_takes(mask, args) for mask in masks(name) if mask & bits and bool(mask & NGX_CONF_BLOCK) == block)


def _takes(mask: int, args: Sequence[str]) -> bool:
    count = len(args)
    return bool(
        (count < 8 and mask >> count & 1)
        or (mask & NGX_CONF_FLAG and count == 1 and not wrong_flag(args[0]))
        or mask & NGX_CONF_ANY
        or (mask & NGX_CONF_1MORE and count >= 1)
        or (mask & NGX_CONF_2MORE and count >= 2)
    )


def wrong_flag(word: str) -> bool:
    """Whether a word is neither `on` nor `off`, nor the placeholder of a template."""
    return word.isalnum() and not word.isupper() and word.lower() not in ("on", "off")


def shaped(name: bytes, bits: int, *, block: bool) -> bool:
    """Whether a directive can stand in these contexts as a block, or as none."""
    return any(mask & bits and bool(mask & NGX_CONF_BLOCK) == block for mask in masks(name))


def flag(name: bytes, bits: int) -> bool:
    """Whether a directive is `on` or `off` in these contexts."""
    return any(mask & bits and mask & NGX_CONF_FLAG for mask in masks(name))


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The names of all that the tables have."""
    return tuple(dict.fromkeys((*DIRECTIVES, *MASKS)))


def counts(name: bytes, bits: int, *, block: bool) -> str:
    """How many arguments a directive takes in these contexts, in words."""
    right = [count for count in range(8) if fits(name, bits, ["on"] * count, block=block)]
    if right[-1:] == [7]:
        return f"{right[0]} argument{'s' * (right[0] > 1)} or more"
    words = " or ".join(str(count or "no") for count in right)
    return f"{words} argument{'s' * (right != [1])}"
