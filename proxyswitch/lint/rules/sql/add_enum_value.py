"""A value is added to an enum inside a transaction.

Before PostgreSQL 12 that is refused. Since then it works, but the value cannot be used before COMMIT: an UPDATE or a
default with it in the same transaction fails.

FAIL
    BEGIN;
    ALTER TYPE mood ADD VALUE 'calm';
    COMMIT;

PASS
    ALTER TYPE mood ADD VALUE 'calm';
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import BOTH, POSTGRES, Script, Seen

ID = "sql/add-enum-value"
LEVEL: Level = "warning"
PHASES, DIALECTS = BOTH, POSTGRES
NEW, OPTIONAL = False, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.AddEnumValue) and seen.transaction:
        yield (
            f"a value is added to the enum {change.type} in a transaction: PostgreSQL before 12 refuses that, later ones"
            " do not let the value be used before COMMIT. Let it stand alone; and write the value only when the old"
            " version is gone, or can read it."
        )
