"""A constraint is added and validated in one transaction.

The lock of ADD CONSTRAINT is held until COMMIT, so it is held over the whole scan of VALIDATE: NOT VALID gains nothing.

FAIL
    BEGIN;
    ALTER TABLE book ADD CONSTRAINT price_there CHECK (price IS NOT NULL) NOT VALID;
    ALTER TABLE book VALIDATE CONSTRAINT price_there;
    COMMIT;

PASS
    ALTER TABLE book ADD CONSTRAINT price_there CHECK (price IS NOT NULL) NOT VALID;
    ALTER TABLE book VALIDATE CONSTRAINT price_there;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import BOTH, POSTGRES, Script, Seen

ID = "sql/validate-in-transaction"
LEVEL: Level = "warning"
PHASES, DIALECTS = BOTH, POSTGRES
NEW, OPTIONAL = False, False


def check(seen: Seen, script: Script) -> Iterator[str]:
    change = seen.change
    if not isinstance(change, changes.ValidateConstraint) or not seen.transaction:
        return
    if script.not_valid.get((change.table, change.name)) == seen.transaction:
        yield (
            f"the constraint {change.name} of {change.table} is validated in the transaction that adds it, whose lock is"
            " held over the whole scan. Put VALIDATE CONSTRAINT into a transaction of its own."
        )
