"""A column is dropped while the old version may still use it.

An ORM names all columns in every SELECT and INSERT, so the old version fails on the first query.

FAIL
    ALTER TABLE book DROP COLUMN subtitle;

PASS (contract)
    ALTER TABLE book DROP COLUMN subtitle;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, EXPAND, Script, Seen

ID = "sql/drop-column"
LEVEL: Level = "error"
PHASES, DIALECTS = EXPAND, ALL
NEW, OPTIONAL = False, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.DropColumn):
        yield (
            f"the column {change.column} of {change.table} is dropped while the old version may still use it: its queries"
            " fail. Release code that does not use it, and drop it in contract."
        )
