"""The table `[lint]` of `proxyswitch.toml`, or `[tool.proxyswitch.lint]` of `pyproject.toml`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, field

from proxyswitch.settings_base import Section, suggest

LEVELS = ("error", "warning", "info")
DIALECTS = ("postgres", "mysql", "sqlite")
PHASES = ("expand", "contract")
_CHOICES = {"fail_on": LEVELS, "dialect": DIALECTS, "phase": PHASES}
_Level = Annotated[str, Meta(extra_json_schema={"enum": list(LEVELS)})]
_Dialect = Annotated[str, Meta(extra_json_schema={"enum": list(DIALECTS)})]
_Phase = Annotated[str, Meta(extra_json_schema={"enum": list(PHASES)})]


class Lint(Section, frozen=True):
    """What `lint` looks at, and for what, in the folder of this file."""

    files: list[str] = field(default_factory=list)
    select: list[str] = field(default_factory=list)
    ignore: list[str] = field(default_factory=list)
    per_file_ignores: dict[str, list[str]] = field(default_factory=dict)
    fail_on: _Level = "error"
    dialect: _Dialect = "postgres"
    phase: _Phase = "expand"

    def rules(self) -> Iterator[tuple[str, str]]:
        """Each name of a rule that is in it, with its key."""
        tables = {"select": self.select, "ignore": self.ignore}
        tables |= {f"per_file_ignores.{glob}": names for glob, names in self.per_file_ignores.items()}
        yield from ((key, name) for key, names in tables.items() for name in names)


def lint_faults(lint: Lint) -> Iterator[str]:
    """What is wrong with it that types cannot say, as `key: what`. Names of rules are lint's own to know."""
    for key, known in _CHOICES.items():
        value = getattr(lint, key)
        if value not in known:
            yield f"{key}: {value!r} is not known{suggest(value, list(known)) or '; there is ' + ', '.join(known)}"
