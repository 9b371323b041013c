"""The type of a column is changed under the old version.

The old version writes and reads the old type. And nearly always the whole table is rewritten under a lock that stops every
query. PostgreSQL spares the rewrite when a varchar grows or becomes text; MySQL when a varchar grows up to 255 bytes.
The old type does not stand in the statement, so it cannot be seen here: ignore the rule at that line.

FAIL
    ALTER TABLE book ALTER COLUMN pages TYPE bigint;

FAIL (mysql)
    ALTER TABLE book MODIFY pages bigint;

PASS (contract)
    ALTER TABLE book ALTER COLUMN pages TYPE bigint;

PASS
    -- proxyswitch: ignore=sql/column-type-change
    ALTER TABLE book ALTER COLUMN title TYPE varchar(300);
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, EXPAND, Script, Seen

ID = "sql/column-type-change"
LEVEL: Level = "error"
PHASES, DIALECTS = EXPAND, ALL
NEW, OPTIONAL = False, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.ChangeType):
        yield (
            f"the column {change.column} of {change.table} becomes {change.to} while the old version works with the old"
            " type, and most changes of a type rewrite the table under a lock. In expand add a column of the new type;"
            " let the new version write both, and copy the old rows; drop the old column in contract."
        )
