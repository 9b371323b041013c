"""What a rule for nginx is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from proxyswitch.lint.finding import Found, Rule
from proxyswitch.lint.nginx.tree import Config


class NginxRule(Rule, Protocol):
    """A rule for nginx: a module of lint/rules/nginx/."""

    def check(self, config: Config) -> Iterator[Found]:
        """What is wrong in a config, or in a snippet of one; what cannot be known is not found."""
        ...
