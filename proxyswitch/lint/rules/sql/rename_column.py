"""A column is renamed, and one of the two versions does not know its name.

FAIL
    ALTER TABLE book RENAME COLUMN title TO name;

FAIL
    ALTER TABLE book RENAME title TO name;

FAIL (mysql)
    ALTER TABLE book CHANGE title name varchar(200);

PASS (contract)
    ALTER TABLE book RENAME COLUMN title TO name;

PASS
    ALTER TABLE book ADD COLUMN name varchar(200);
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, EXPAND, Script, Seen

ID = "sql/rename-column"
LEVEL: Level = "error"
PHASES, DIALECTS = EXPAND, ALL
NEW, OPTIONAL = False, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.RenameColumn):
        yield (
            f"the column {change.column} of {change.table} becomes {change.to}: the old version knows only the old name,"
            f" and its queries fail. In expand add {change.to}; let the new version write both, and copy the old rows;"
            f" drop {change.column} in contract."
        )
