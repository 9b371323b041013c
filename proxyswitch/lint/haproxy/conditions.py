"""The conditions of rules: `… if NAME !OTHER or { … }`, as HAProxy reads them (`parse_acl_cond`, src/acl.c).

A name stands for an ACL of the same section, or for one of HAProxy's own. What stands side by side must all hold; an ACL
must stand before what names it; those of a `defaults` section are not seen from others (configuration manual, sections 4.2
"acl", 7.2 and 7.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from proxyswitch.lint.haproxy.config import Config, Row

_OWN = (
    "FALSE HTTP HTTP_1.0 HTTP_1.1 HTTP_2.0 HTTP_3.0 HTTP_CONTENT HTTP_URL_ABS HTTP_URL_SLASH HTTP_URL_STAR LOCALHOST"
    " RDP_COOKIE REQ_CONTENT TRUE WAIT_END"
)
OWN = frozenset(_OWN.split())
SECTIONS = (b"defaults", b"frontend", b"backend", b"listen")
# The keywords whose lines may end in a condition, and the first word of a line that can be its `if`.
_RULES = {
    b"block": 1,
    b"force-persist": 1,
    b"http-after-response": 2,
    b"http-request": 2,
    b"http-response": 2,
    b"ignore-persist": 1,
    b"monitor": 2,
    b"redirect": 2,
    b"stats": 2,
    b"stick": 2,
    b"tcp-request": 2,
    b"tcp-response": 2,
    b"use-server": 2,
    b"use_backend": 2,
}
_CALLS = re.compile(r"\b(?:acl|when)\(([^()]*)\)")
_BLANKS_OR_COMMAS = re.compile(r"[\s,!]+")
# What gives another answer when it is asked again.
_CHANGES = re.compile(r"\b(?:rand\(|lua\.|\w*_(?:inc|clr)_gpc)")


class Name(NamedTuple):
    """A name in a condition, and which word of the line it is."""

    name: str
    word: int


class Condition(NamedTuple):
    """What stands behind `if` or `unless`. `at` is the number of that word in the line."""

    words: tuple[str, ...]
    at: int

    @property
    def names(self) -> list[Name]:
        """The names outside of braces; `or` and `||` are none."""
        found, inside = [], False
        for number, text in enumerate(self.words[1:], self.at + 1):
            word = text.lstrip("!")
            if inside:
                inside = text != "}"
            elif word == "{":
                inside = True
            elif word and word.lower() != "or" and word != "||":
                found.append(Name(word, number))
        return found

    @property
    def glued(self) -> Name | None:
        """The first name that a brace is part of."""
        return next((name for name in self.names if name.name.startswith("{") or name.name.endswith("}")), None)

    @property
    def open(self) -> bool:
        """Whether a `{` that stands alone has no `}`."""
        inside = False
        for text in self.words[1:]:
            inside = text != "}" if inside else text.lstrip("!") == "{"
        return inside

    @property
    def always(self) -> bool:
        """Whether it holds for everything."""
        return self.words in (("if", "TRUE"), ("unless", "FALSE"))

    @property
    def changes(self) -> bool:
        """Whether it may hold now and not a moment later."""
        return bool(_CHANGES.search(" ".join(self.words)))


def rules(config: Config) -> list[list[Row]]:
    """The lines of each section that may have a condition, and its ACLs."""
    return config.once(_rules)


def _rules(config: Config) -> list[list[Row]]:
    wanted = {b"acl", *_RULES}
    return [[row for row in rows if row.keyword in wanted] for _, rows in config.sections(*SECTIONS)]


def condition(row: Row) -> Condition | None:
    """The condition of a line; None where there is none, or where it cannot be told for certain."""
    first = _RULES.get(row.keyword)
    words = row.words if first is not None else []
    if words[:1] == ["stats"] and words[1:2] not in (["admin"], ["http-request"]):
        return None
    places = [at for at, word in enumerate(words) if word in ("if", "unless") and at >= (first or 0)]
    if len(places) != 1 or any("$" in word for word in words[places[0] :]):
        return None
    return Condition(tuple(words[places[0] :]), places[0])


def unconditional(row: Row) -> bool:
    """Whether a rule is certain to be for everything."""
    words, found = row.words, condition(row)
    plain = "if" not in words and "unless" not in words and not any("$" in word for word in words)
    return row.sure and (plain or (found is not None and found.always))


def shifting(acls: Iterable[Row]) -> set[str]:
    """The ACLs among these lines that may hold now and not a moment later."""
    return {row.words[1] for row in acls if len(row.words) > 1 and _CHANGES.search(" ".join(row.words[2:]))}


def mentioned(row: Row) -> Iterable[str]:
    """Every name that a line could name an ACL by, be it in doubt."""
    words = row.words
    start = next((at for at, word in enumerate(words) if word in ("if", "unless")), len(words))
    yield from (word.lstrip("!") for word in words[start:])
    for word in words if any("acl(" in word or "when(" in word for word in words) else ():
        for found in _CALLS.finditer(word):
            yield from _BLANKS_OR_COMMAS.split(found[1])
