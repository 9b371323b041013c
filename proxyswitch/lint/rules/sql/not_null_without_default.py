"""A column is added that must have a value, and the old version gives it none.

The INSERTs of the old version fail. On PostgreSQL and SQLite the statement itself fails when the table has rows.

FAIL
    ALTER TABLE book ADD COLUMN price integer NOT NULL;

FAIL (mysql)
    ALTER TABLE book ADD price integer NOT NULL AFTER pages;

PASS
    ALTER TABLE book ADD COLUMN price integer NOT NULL DEFAULT 0;

PASS
    ALTER TABLE book ADD COLUMN price integer;

PASS (contract)
    ALTER TABLE book ADD COLUMN price integer NOT NULL;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, EXPAND, Script, Seen

ID = "sql/not-null-without-default"
LEVEL: Level = "error"
PHASES, DIALECTS = EXPAND, ALL
NEW, OPTIONAL = False, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.AddColumn) and not (change.nullable or change.default or change.generated):
        yield (
            f"the column {change.column} is added to {change.table} as NOT NULL without a default: the old version does"
            " not know it, and its INSERTs fail. Add it with a constant DEFAULT, or as nullable and fill it; NOT NULL"
            " belongs in contract."
        )
