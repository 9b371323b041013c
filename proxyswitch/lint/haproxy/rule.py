"""What a rule for HAProxy is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from proxyswitch.lint.finding import Found, Rule
from proxyswitch.lint.haproxy.config import Config


class HaproxyRule(Rule, Protocol):
    """A rule for HAProxy: a module of lint/rules/haproxy/."""

    def check(self, config: Config) -> Iterator[Found]:
        """What is wrong in a config, or in a part of one; what cannot be known is not found."""
        ...
