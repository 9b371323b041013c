"""A table is replaced by a new one that takes its name.

SQLite cannot change most of a table, so Django and Alembic make a new one, copy the rows, drop the old one and rename.
What the old version would miss, a column or a default, cannot be seen in that: compare the two by hand.

FAIL (sqlite)
    CREATE TABLE new__book (id integer PRIMARY KEY, title text NOT NULL);
    INSERT INTO new__book SELECT id, title FROM book;
    DROP TABLE book;
    ALTER TABLE new__book RENAME TO book;

PASS (sqlite)
    CREATE TABLE book (id integer PRIMARY KEY, title text NOT NULL);
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, EXPAND, Script, Seen

ID = "sql/table-rebuilt"
LEVEL: Level = "warning"
PHASES, DIALECTS = EXPAND, ALL
NEW, OPTIONAL = False, False


def check(seen: Seen, script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.DropTable) and script.rebuilt(seen):
        yield (
            f"the table {change.table} is replaced by a new one of that name, and it cannot be judged what it loses."
            " Compare the columns: what the old version uses must stay, and new columns need a default or NULL. Else do"
            " it in contract."
        )
