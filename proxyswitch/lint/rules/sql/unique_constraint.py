"""UNIQUE, PRIMARY KEY or EXCLUDE makes its index under a lock that stops every query.

FAIL
    ALTER TABLE book ADD CONSTRAINT book_isbn UNIQUE (isbn);

FAIL
    ALTER TABLE book ADD PRIMARY KEY (id);

FAIL
    ALTER TABLE book ADD COLUMN isbn text UNIQUE;

PASS
    CREATE UNIQUE INDEX CONCURRENTLY book_isbn ON book (isbn);
    ALTER TABLE book ADD CONSTRAINT book_isbn UNIQUE USING INDEX book_isbn;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import BOTH, POSTGRES, Script, Seen

ID = "sql/unique-constraint"
LEVEL: Level = "error"
PHASES, DIALECTS = BOTH, POSTGRES
NEW, OPTIONAL = False, False

_WHY = " which is made under a lock that stops every query."
_WRITE = " Write CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … USING INDEX."


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.AddColumn) and change.unique:
        yield f"the column {change.column} is added to {change.table} with an index of its own,{_WHY}{_WRITE}"
    elif isinstance(change, changes.AddConstraint) and change.kind in ("unique", "primary key") and not change.using_index:
        yield f"{change.kind.upper()} is added to {change.table} with its index,{_WHY}{_WRITE}"
    elif isinstance(change, changes.AddConstraint) and change.kind == "exclude":
        yield f"EXCLUDE is added to {change.table} with its index,{_WHY} There is no way around: make a new table, and copy."
