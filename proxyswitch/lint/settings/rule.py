"""What a rule for settings is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from proxyswitch.lint.finding import Found, Rule
from proxyswitch.lint.settings.document import Document


class SettingsRule(Rule, Protocol):
    """A rule for settings: a module of lint/rules/settings/."""

    def check(self, document: Document) -> Iterator[Found]:
        """What is wrong in a file."""
        ...
