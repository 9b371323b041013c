"""A column is added whose values PostgreSQL computes at once: serial, identity, or GENERATED … STORED.

All three rewrite the table and its indexes under a lock that stops every query.

FAIL
    ALTER TABLE book ADD COLUMN number bigserial;

FAIL
    ALTER TABLE book ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;

FAIL
    ALTER TABLE book ADD COLUMN total integer GENERATED ALWAYS AS (price * stock) STORED;

PASS
    ALTER TABLE book ADD COLUMN number bigint;

PASS
    CREATE TABLE review (id bigserial PRIMARY KEY);
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import BOTH, POSTGRES, Script, Seen

ID = "sql/add-generated-column"
LEVEL: Level = "error"
PHASES, DIALECTS = BOTH, POSTGRES
NEW, OPTIONAL = False, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.AddColumn) and change.generated in ("serial", "identity", "stored"):
        yield (
            f"the column {change.column} ({change.generated}) is added to {change.table}: the table is rewritten under a"
            " lock that stops every query. Add a plain column, let a trigger or SET DEFAULT nextval(…) fill new rows,"
            " and fill the old ones in batches."
        )
