"""A view, a type, a schema, a function or the like is dropped while the old version may still use it.

FAIL
    DROP VIEW bestseller;

FAIL
    DROP SCHEMA archive CASCADE;

FAIL
    DROP FUNCTION price_of(int);

PASS (contract)
    DROP VIEW bestseller;

PASS
    CREATE VIEW bestseller AS SELECT * FROM book WHERE stock = 0;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, EXPAND, Script, Seen

ID = "sql/drop-object"
LEVEL: Level = "error"
PHASES, DIALECTS = EXPAND, ALL
NEW, OPTIONAL = False, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.DropObject):
        yield (
            f"the {change.kind} {change.name} is dropped while the old version may still use it. Release code that does"
            " not use it, and drop it in contract."
        )
