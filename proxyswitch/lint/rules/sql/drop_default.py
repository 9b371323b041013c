"""The default of a column is dropped, and the old version may rely on it.

Django adds a field with a `default` as `NOT NULL DEFAULT …`, and drops the default in the next statement: from then on
the INSERTs of the old version fail. Give the field a `db_default` (Django 5), which stays.

FAIL
    ALTER TABLE book ADD COLUMN price integer DEFAULT 0 NOT NULL;
    ALTER TABLE book ALTER COLUMN price DROP DEFAULT;

PASS
    ALTER TABLE book ADD COLUMN price integer DEFAULT 0 NOT NULL;

PASS (contract)
    ALTER TABLE book ALTER COLUMN price DROP DEFAULT;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, EXPAND, Script, Seen

ID = "sql/drop-default"
LEVEL: Level = "error"
PHASES, DIALECTS = EXPAND, ALL
NEW, OPTIONAL = False, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.DropDefault):
        yield (
            f"the default of the column {change.column} of {change.table} is dropped: the old version does not give it a"
            " value, so its INSERTs fail, or write NULL. Keep the default (in Django: db_default=), and drop it in"
            " contract."
        )
