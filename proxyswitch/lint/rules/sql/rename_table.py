"""A table or a view is renamed, and one of the two versions does not know its name.

FAIL
    ALTER TABLE author RENAME TO writer;

FAIL (mysql)
    RENAME TABLE author TO writer;

PASS (contract)
    ALTER TABLE author RENAME TO writer;

PASS
    CREATE TABLE import_new (id int);
    ALTER TABLE import_new RENAME TO import;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, EXPAND, Script, Seen

ID = "sql/rename-table"
LEVEL: Level = "error"
PHASES, DIALECTS = EXPAND, ALL
NEW, OPTIONAL = False, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.RenameTable):
        yield (
            f"the {change.kind} {change.table} becomes {change.to}: the old version knows only the old name, and its"
            f" queries fail. Keep the name; or make {change.to} a view of it in expand, and rename in contract, when only"
            " code that works with both is left."
        )
