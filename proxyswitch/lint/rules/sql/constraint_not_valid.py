"""A foreign key or a CHECK is added that PostgreSQL proves at once, for all rows.

It reads the whole table meanwhile, under a lock that stops every write (a foreign key: of both tables), or every query (a
CHECK). NOT VALID adds it for new rows only; VALIDATE CONSTRAINT proves the others, and stops nobody. A column that is added
with REFERENCES and without a default is proven without a scan.

FAIL
    ALTER TABLE book ADD CONSTRAINT book_author FOREIGN KEY (author_id) REFERENCES author (id);

FAIL
    ALTER TABLE book ADD CHECK (price >= 0);

FAIL
    ALTER TABLE book ADD COLUMN price integer CHECK (price >= 0);

PASS
    ALTER TABLE book ADD CONSTRAINT book_author FOREIGN KEY (author_id) REFERENCES author (id) NOT VALID;
    ALTER TABLE book VALIDATE CONSTRAINT book_author;

PASS
    ALTER TABLE book ADD COLUMN author_id bigint NULL REFERENCES author (id);
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import BOTH, POSTGRES, Script, Seen

ID = "sql/constraint-not-valid"
LEVEL: Level = "error"
PHASES, DIALECTS = BOTH, POSTGRES
NEW, OPTIONAL = False, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    kind = ""
    if isinstance(change, changes.AddConstraint) and change.kind in ("foreign key", "check") and not change.not_valid:
        kind = change.kind
    elif isinstance(change, changes.AddColumn) and change.check:
        kind = "check"
    elif isinstance(change, changes.AddColumn) and change.references and change.default:
        kind = "foreign key"
    if kind:
        yield (
            f"a {kind} constraint is added to {change.table}: all rows are proven under a lock that stops every"
            f" {'query' if kind == 'check' else 'write'}. Write ADD CONSTRAINT … NOT VALID, and in a later transaction"
            " VALIDATE CONSTRAINT."
        )
