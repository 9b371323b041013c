"""The `stats socket` lines of a config: where the runtime API listens (configuration manual, 3.1, "stats socket")."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from proxyswitch.lint.haproxy.binds import Address, addresses
from proxyswitch.lint.haproxy.config import Config, Row


class Socket(NamedTuple):
    """One line."""

    row: Row
    level: str
    mode: str

    @property
    def addresses(self) -> list[Address]:
        return list(addresses(self.row.words[2]))

    @property
    def plain(self) -> bool:
        """Whether nothing of it depends on a condition or a variable."""
        return self.row.sure and not any("$" in word for word in self.row.words)


def sockets(config: Config) -> Iterator[Socket]:
    for row in config.rows(b"stats", b"global"):
        words = row.words
        if words[1:2] == ["socket"] and len(words) > 2:
            yield Socket(row, _value(words, "level", "operator"), _value(words, "mode", ""))


def _value(words: list[str], name: str, default: str) -> str:
    """The last one counts."""
    found = [value for word, value in pairwise(words[3:]) if word == name]
    return found[-1] if found else default
