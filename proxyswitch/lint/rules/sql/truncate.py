"""All rows of a table are thrown away while the old version uses them.

FAIL
    TRUNCATE TABLE review;

PASS (contract)
    TRUNCATE TABLE review;

PASS
    CREATE TABLE stage (id int);
    TRUNCATE TABLE stage;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, EXPAND, Script, Seen

ID = "sql/truncate"
LEVEL: Level = "error"
PHASES, DIALECTS = EXPAND, ALL
NEW, OPTIONAL = False, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.Truncate):
        yield (
            f"all rows of {change.table} are thrown away while the old version uses them, and every query of it waits. Do"
            " it in contract; or delete in batches what nobody needs."
        )
