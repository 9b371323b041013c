"""Directives that no table has, and what may have been meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from proxyswitch.lint.nginx import directives, modules
from proxyswitch.lint.nginx.contexts import directives_with_contexts
from proxyswitch.lint.nginx.tree import Config, Item

_DIGITS = re.compile(r"\d+")
_LONG = 10  # only in so long a name can two letters be wrong: `jvm_path` is of a module, and no slip of `js_path`
_NO_NAME = re.compile(r"[a-zA-Z][^{}%@<>]*[=/:;,$()|\"'][^{}%@<>]*")
_PLACEHOLDER = re.compile(r"[{}%@<>]")


def no_name(name: str) -> bool:
    """Whether no module can have a directive of that name; the placeholder of a template is none of these."""
    return bool(_NO_NAME.fullmatch(name))


def placeholder(name: str) -> bool:
    """Whether that is part of a template, and becomes something else before nginx reads it."""
    return bool(_PLACEHOLDER.search(name))


def unknown(config: Config) -> Iterator[tuple[Item, str]]:
    """Each of them with the directive that it is a misspelling of; '' where there is none.

    Nothing where a module is loaded whose directives are not known.
    """
    if any(not modules.file_known(arg) for item in config.uses(b"load_module") for arg in item.args):
        return
    for item, bits in directives_with_contexts(config):
        if not _is_known(item.name):
            yield item, _meant(item.name, bits, tuple(item.args), block=item.directive.body is not None)


@lru_cache(maxsize=4096)
def _is_known(name: bytes) -> bool:
    text = name.decode("utf-8", "replace")
    return directives.known(name) or modules.changing(text) or modules.theirs(text)


def _meant(name: bytes, bits: int, args: tuple[str, ...], *, block: bool) -> str:
    """The directive that may stand there, with these arguments, and whose name is almost this one."""
    near = (other for other in _near(name) if directives.fits(other.encode(), bits, args, block=block))
    return next(near, "")


@lru_cache(maxsize=1024)
def _near(name: bytes) -> tuple[str, ...]:
    from difflib import get_close_matches

    text = name.decode("utf-8", "replace").lower().replace("-", "_")
    about = [other for other in directives.names() if abs(len(other) - len(text)) <= 2]
    close = get_close_matches(text, about, 5, 0.8)
    return tuple(other for other in close if _slip(text, other))


def _slip(one: str, other: str) -> bool:
    """Whether one is the other, misspelt. Those that differ in a number are not: `http3_push` is not `http2_push`."""
    allowed = 2 if min(len(one), len(other)) >= _LONG else 1
    numbers = one != other and _DIGITS.sub("", one) == _DIGITS.sub("", other)
    return _edits(one, other) <= allowed and not numbers


def _edits(one: str, other: str) -> int:
    """About how many letters differ; two that changed places count as one."""
    from difflib import SequenceMatcher

    changes = [op for op in SequenceMatcher(None, one, other, autojunk=False).get_opcodes() if op[0] != "equal"]
    letters = sum(max(i2 - i1, j2 - j1) for _, i1, i2, j1, j2 in changes)
    return letters - (sorted(one) == sorted(other))
