"""What a rule for SQL is, and what it sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from proxyswitch.lint.finding import Rule
from proxyswitch.lint.options import Dialect, Phase
from proxyswitch.lint.sql.changes import Change, Name

PHASES: tuple[Phase, ...] = ("expand", "contract")
DIALECTS: tuple[Dialect, ...] = ("mysql", "postgres", "sqlite")
BOTH, ALL = PHASES, DIALECTS  # what a rule is about, in short
EXPAND: tuple[Phase, ...] = ("expand",)
POSTGRES: tuple[Dialect, ...] = ("postgres",)


@dataclass(frozen=True, slots=True)
class Seen:
    """A change where it stands: the how many-th, at which offset, and at which its statement begins.

    `new`: its table was created before in the same script, and is nobody's yet. `transaction`: the number of the
    transaction that it is in, 0 outside of one. `limited`: a lock_timeout was set before.
    """

    change: Change
    number: int
    at: int
    statement_at: int
    new: bool = False
    transaction: int = 0
    limited: bool = False


@dataclass(frozen=True)
class Script:
    """What a file does, as a whole.

    `proven`: from which change on a validated CHECK says that a column has no null. `replaced`: the last change by which a
    new table took a name. `not_valid`: the transaction in which a constraint was added as NOT VALID.
    """

    phase: Phase
    dialect: Dialect
    proven: dict[tuple[Name, str], int] = field(default_factory=dict)
    replaced: dict[Name, int] = field(default_factory=dict)
    not_valid: dict[tuple[Name, str], int] = field(default_factory=dict)

    def rebuilt(self, seen: Seen) -> bool:
        """True for the DROP of a table whose name a table made in this script takes later on."""
        return self.replaced.get(seen.change.table, -1) > seen.number


class SqlRule(Rule, Protocol):
    """A rule for SQL: a module of lint/rules/sql/.

    `NEW` says whether it also judges tables that the same script has created; `OPTIONAL` that it must be asked for.
    """

    @property
    def PHASES(self) -> tuple[Phase, ...]: ...

    @property
    def DIALECTS(self) -> tuple[Dialect, ...]: ...

    @property
    def NEW(self) -> bool: ...

    @property
    def OPTIONAL(self) -> bool: ...

    def check(self, seen: Seen, script: Script) -> Iterator[str]:
        """The messages for one change; none where all is well."""
        ...
