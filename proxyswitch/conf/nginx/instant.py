"""Pools in instant mode: two upstreams, blue and green, and a flag on disk that says which of them a client gets.

The form, which `adopt` writes: in each server block `set $V P_blue;` and `if (-e F/green/$bucket) { set $V P_green; }`,
and in the locations `proxy_pass http://$V;`. A variable that names an upstream needs no resolver.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.pools import ServerLine, Upstream, upstreams
from proxyswitch.conf.nginx.tree import Directive, Document
from proxyswitch.conf.nginx.verify import walk
from proxyswitch.errors import UsageError
from proxyswitch.model import Where

BLUE, GREEN = "blue", "green"
SLOTS = (BLUE, GREEN)
_MARK = b"/green/$"
_TEST = re.compile(r"(/.*)/green/\$(\w+)\)\Z", re.ASCII)
_LOG = re.compile(rb"access_log\s[^;]*[\s\"']proxyswitch\b")


class Lookup(NamedTuple):
    """What one server block says: the name of the pool, its flag folder, and the variable of the bucket."""

    pool: str
    flags: str
    bucket: str
    where: Where


class InstantPool(NamedTuple):
    """A pool in instant mode. `flags` is its flag folder, `lookups` the places that ask for the flag."""

    name: str
    flags: str
    blue: Upstream
    green: Upstream
    lookups: tuple[Lookup, ...]

    @property
    def where(self) -> Where:
        return self.blue.where

    def upstream(self, slot: str) -> Upstream:
        return self.green if slot == GREEN else self.blue

    def lines(self, slot: str) -> list[ServerLine]:
        """The servers of a slot: the other slot's stand in its upstream too, as backup."""
        return [line for line in self.upstream(slot).lines if not line.server.backup]


def find(config: Config) -> list[InstantPool]:
    """All pools in instant mode. Raises UsageError for one whose server blocks ask for different flags."""
    if "/instant" not in config.pools:  # no upstream can have that name
        config.pools["/instant"] = list(_find(config))
    return list(config.pools["/instant"])


def _find(config: Config) -> Iterator[InstantPool]:
    by_pool: dict[str, list[Lookup]] = {}
    for document in config.documents.values():
        if _MARK in document.data:
            for lookup in _lookups(document):
                by_pool.setdefault(lookup.pool, []).append(lookup)
    for name, lookups in by_pool.items():
        sides = [upstreams(config, f"{name}_{slot}") for slot in SLOTS]
        if all(len(side) == 1 for side in sides):
            _same_flag(name, lookups)
            flags = config.names.shown(lookups[0].flags)
            yield InstantPool(name, flags, sides[0][0], sides[1][0], tuple(lookups))


def may_have_log(config: Config) -> bool:
    """Whether a pool may have a log of its tries: a cheap look, so that a switch of one without it costs no more."""
    return any(_LOG.search(document.data) for document in config.documents.values())


def _lookups(document: Document) -> Iterator[Lookup]:
    for _, directive in walk(document):
        if directive.name == b"if" and directive.body:
            words = document.text(directive)
            test = _TEST.match(words[1]) if len(words) == 2 and words[0] == "(-e" else None
            pool = _pool_of(document, directive.body) if test else ""
            if test and pool:
                yield Lookup(pool, test[1], test[2], document.where(directive))


def _pool_of(document: Document, body: list[Directive]) -> str:
    """P of the one directive `set $variable P_green`."""
    words = document.text(body[0]) if len(body) == 1 and body[0].name == b"set" else []
    return words[1].removesuffix("_green") if len(words) == 2 and words[1].endswith("_green") else ""


def _same_flag(name: str, lookups: list[Lookup]) -> None:
    flags = {lookup.flags: lookup for lookup in lookups}
    if len(flags) > 1:
        places = ", ".join(f"{folder} at {lookup.where}" for folder, lookup in flags.items())
        raise UsageError(
            f"the pool {name} has several flag folders: {places}", next_step="let all of them name the same folder"
        )
