"""What a rule about comments is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from proxyswitch.lint.finding import Found, Rule
from proxyswitch.lint.ignores import Ignores


class CommentRule(Rule, Protocol):
    """A module of lint/rules/comment/."""

    def check(self, ignores: Ignores, ran: Iterable[str]) -> Iterator[Found]:
        """What is wrong with the comments of a file, once all rules of `ran` were asked."""
        ...
