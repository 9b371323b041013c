"""A table is dropped while the old version may still use it.

`migrate.expand` runs before the new version gets traffic, and the old one reads and writes on. After the release is
confirmed nobody does: drop it then.

FAIL
    DROP TABLE review;

PASS (contract)
    DROP TABLE review;

PASS
    CREATE TABLE tmp_import (id int);
    DROP TABLE tmp_import;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, EXPAND, Script, Seen

ID = "sql/drop-table"
LEVEL: Level = "error"
PHASES, DIALECTS = EXPAND, ALL
NEW, OPTIONAL = False, False


def check(seen: Seen, script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.DropTable) and not script.rebuilt(seen):
        yield (
            f"the table {change.table} is dropped while the old version may still use it: its queries fail. Release code"
            " that does not use it, and drop it in contract."
        )
