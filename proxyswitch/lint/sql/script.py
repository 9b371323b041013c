"""The walk over the changes of a file: what is new, what is inside a transaction, what is proven."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.changes import Change, Name
from proxyswitch.lint.sql.rule import Script, Seen


@dataclass
class Walk:
    """The state between two changes."""

    script: Script
    new: set[Name] = field(default_factory=set)
    dropped: set[Name] = field(default_factory=set)
    columns: dict[tuple[Name, str], str] = field(default_factory=dict)  # constraint → its CHECK (column IS NOT NULL)
    transactions: int = 0
    inside: bool = False
    limited: bool = False

    def over(self, found: Iterable[tuple[Change, int, int]]) -> Iterator[Seen]:
        """Each change as it is seen where it stands; offsets are its own and its statement's."""
        for number, (change, at, statement_at) in enumerate(found):
            transaction = self.transactions if self.inside else 0
            yield Seen(change, number, at, statement_at, change.table in self.new, transaction, self.limited)
            self._transaction(change)
            self._tables(change, number)
            self._constraints(change, number, transaction)

    def _transaction(self, change: Change) -> None:
        if isinstance(change, changes.Begin):
            self.inside = True
            self.transactions += 1
        elif isinstance(change, changes.End):
            self.inside = False
        elif isinstance(change, changes.SetLockTimeout):
            self.limited = True

    def _tables(self, change: Change, number: int) -> None:
        if isinstance(change, changes.Elsewhere):
            self.new.clear()
        elif isinstance(change, changes.CreateTable) and change.sure:
            self.new.add(change.table)
        elif isinstance(change, changes.DropTable):
            self.new.discard(change.table)
            self.dropped.add(change.table)
        elif isinstance(change, changes.RenameTable) and change.table in self.new:
            self.new.discard(change.table)
            self.new |= {change.to} - self.dropped  # one that takes the place of another is everybody's
            self.script.replaced[change.to] = number

    def _constraints(self, change: Change, number: int, transaction: int) -> None:
        if isinstance(change, changes.AddConstraint) and change.name:
            key = (change.table, change.name)
            self.columns[key] = change.not_null
            if change.not_valid:
                self.script.not_valid[key] = transaction
            elif change.not_null:
                self.script.proven[change.table, change.not_null] = number
        elif isinstance(change, changes.ValidateConstraint):
            column = self.columns.get((change.table, change.name))
            if column:
                self.script.proven[change.table, column] = number
