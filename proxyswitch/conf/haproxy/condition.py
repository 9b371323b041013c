"""The conditions of `.if` and `.elif` lines, as far as they can be known without HAProxy (`src/cfgcond.c`).

    expr = and ("||" and)*      and = term ("&&" term)*      term = "!" term | "(" expr ")" | number | predicate "(" args ")"

What depends on things that we do not know gives None: unknown. So does a predicate of a version that is newer than us.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Verdict = bool | None

_TOKEN = re.compile(r"\s*(\|\||&&|!|\(|\)|[+-]?(?:0[xX][0-9A-Fa-f]+|\d+)(?![\w.])|[A-Za-z_][\w.-]*)", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:0[xX])?0*([0-9A-Fa-f]*)\Z", re.ASCII)
_VERSION = re.compile(r"(\d+)(?:\.(\d+)(?:\.(\d+)|-dev\d+)?)?\Z", re.ASCII)
_DEPTH = 200  # parts of a condition, however they are nested


@dataclass(frozen=True)
class Facts:
    """What is known of the HAProxy that reads the config: None for what is not."""

    env: Mapping[str, str] | None = None
    version: tuple[int, ...] | None = None
    features: frozenset[str] | None = None


class BadCondition(ValueError):
    """A condition that cannot be read."""


def holds(text: str, facts: Facts) -> Verdict:
    """True, False, or None where it cannot be known. An empty condition is false. Raises BadCondition."""
    reader = _Reader(text, facts)
    if not text.strip():
        return False
    value = reader.either()
    if reader.rest():
        raise BadCondition(f"unexpected {reader.rest()!r} at the end of the condition {text!r}")
    return value


def either(one: Verdict, other: Verdict) -> Verdict:
    """Or, with unknown."""
    return True if one or other else (None if one is None or other is None else False)


def both(one: Verdict, other: Verdict) -> Verdict:
    """And, with unknown."""
    return False if one is False or other is False else (None if one is None or other is None else True)


class _Reader:
    def __init__(self, text: str, facts: Facts) -> None:
        self.text, self.at, self.facts, self.depth = text, 0, facts, 0

    def rest(self) -> str:
        return self.text[self.at :].strip()

    def peek(self) -> str:
        found = _TOKEN.match(self.text, self.at)
        return found[1] if found else ""

    def next(self) -> str:
        found = _TOKEN.match(self.text, self.at)
        if not found:
            raise BadCondition(f"the condition {self.text!r} is not complete: a term is expected")
        self.at = found.end()
        return found[1]

    def either(self) -> Verdict:
        value = self.both()
        while self.peek() == "||":
            self.next()
            value = either(value, self.both())
        return value

    def both(self) -> Verdict:
        value = self.term()
        while self.peek() == "&&":
            self.next()
            value = both(value, self.term())
        return value

    def term(self) -> Verdict:
        self.depth += 1
        if self.depth > _DEPTH:
            raise BadCondition("the condition has too many parts")
        word = self.next()
        if word == "!":
            value = self.term()
            return None if value is None else not value
        if word == "(":
            value = self.either()
            if self.next() != ")":
                raise BadCondition(f"a parenthesis is not closed in {self.text!r}")
            return value
        if word[0] in "+-0123456789":
            found = _NUMBER.match(word)
            return bool(found and found[1])
        return self.predicate(word)

    def predicate(self, name: str) -> Verdict:
        if not name[0].isalpha() or self.text[self.at : self.at + 1] != "(":
            raise BadCondition(f"{name!r} is no condition, in {self.text!r}")
        end = self.text.find(")", self.at)
        if end < 0:
            raise BadCondition(f"a parenthesis is not closed in {self.text!r}")
        args = self.text[self.at + 1 : end].split(",")  # blanks count
        self.at = end + 1
        known = _PREDICATES.get(name)
        if known and len(args) != (2 if name.startswith("str") else 1):
            raise BadCondition(f"{name} with {len(args)} arguments, in {self.text!r}")
        return known(self.facts, args) if known else None


def _defined(facts: Facts, args: list[str]) -> Verdict:
    if facts.env is None or (args[0].startswith("HAPROXY_") and args[0] not in facts.env):
        return None  # HAProxy sets some of its own when it starts
    return args[0] in facts.env


def _same(_facts: Facts, args: list[str]) -> Verdict:
    return None if any("$" in a for a in args) else args[0] == args[1]


def _differ(facts: Facts, args: list[str]) -> Verdict:
    same = _same(facts, args)
    return None if same is None else not same


def _contains(_facts: Facts, args: list[str]) -> Verdict:
    return None if any("$" in a for a in args) else args[1] in args[0]


def _feature(facts: Facts, args: list[str]) -> Verdict:
    return None if facts.features is None else args[0] in facts.features


def _at_least(facts: Facts, args: list[str]) -> Verdict:
    found = _VERSION.match(args[0])  # a release is later than all its `-dev`
    if facts.version is None or not found:
        return None
    wanted = tuple(int(n) for n in found.groups() if n)
    return facts.version[: len(wanted)] >= wanted


def _before(facts: Facts, args: list[str]) -> Verdict:
    enough = _at_least(facts, args)
    return None if enough is None else not enough


_PREDICATES: dict[str, Callable[[Facts, list[str]], Verdict]] = {
    "defined": _defined,
    "feature": _feature,
    "streq": _same,
    "strneq": _differ,
    "strstr": _contains,
    "version_atleast": _at_least,
    "version_before": _before,
}
