"""A column becomes NOT NULL.

In expand, the old version may still write NULL. On PostgreSQL also in contract: the whole table is read under a lock that
stops every query, unless a validated CHECK already says that there is no NULL (PostgreSQL 12 and later).

FAIL (contract)
    ALTER TABLE book ALTER COLUMN pages SET NOT NULL;

FAIL
    ALTER TABLE book ALTER COLUMN pages SET NOT NULL;

FAIL (mysql)
    ALTER TABLE book MODIFY pages integer NOT NULL;

PASS (contract)
    ALTER TABLE book ADD CONSTRAINT pages_there CHECK (pages IS NOT NULL) NOT VALID;
    ALTER TABLE book VALIDATE CONSTRAINT pages_there;
    ALTER TABLE book ALTER COLUMN pages SET NOT NULL;
    ALTER TABLE book DROP CONSTRAINT pages_there;

PASS (mysql, contract)
    ALTER TABLE book MODIFY pages integer NOT NULL;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, BOTH, Script, Seen

ID = "sql/set-not-null"
LEVEL: Level = "error"
PHASES, DIALECTS = BOTH, ALL
NEW, OPTIONAL = False, False

_PROVE = (
    "write ADD CONSTRAINT c CHECK (… IS NOT NULL) NOT VALID, and in a later transaction VALIDATE CONSTRAINT c,"
    " which spares the scan under a lock."
)


def check(seen: Seen, script: Script) -> Iterator[str]:
    change = seen.change
    if not isinstance(change, changes.SetNotNull):
        return
    what = f"the column {change.column} of {change.table} becomes NOT NULL"
    if script.phase == "expand":
        before = f" Before it {_PROVE}" if script.dialect == "postgres" else ""
        yield f"{what} while the old version may still write NULL: its INSERTs fail. Fill it; do this in contract.{before}"
    elif script.dialect == "postgres" and script.proven.get((change.table, change.column), seen.number) >= seen.number:
        yield f"{what}: the whole table is read under a lock that stops every query. Before it {_PROVE}"
