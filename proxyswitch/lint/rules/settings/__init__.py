"""The rules for settings, by name. To add one: a module that satisfies SettingsRule, and a row here."""

from __future__ import annotations

from proxyswitch.lint.rules.settings import invalid
from proxyswitch.lint.settings.rule import SettingsRule

RULES: dict[str, SettingsRule] = {
    "settings/invalid": invalid,
}
