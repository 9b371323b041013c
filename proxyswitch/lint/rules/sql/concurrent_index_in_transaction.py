"""CONCURRENTLY inside a transaction: PostgreSQL refuses it.

Only transactions that stand in the file are seen, BEGIN to COMMIT. Django needs `atomic = False` in the migration, Alembic
`with op.get_context().autocommit_block():`.

FAIL
    BEGIN;
    CREATE INDEX CONCURRENTLY book_title ON book (title);
    COMMIT;

PASS
    BEGIN;
    ALTER TABLE book ADD COLUMN subtitle text;
    COMMIT;
    CREATE INDEX CONCURRENTLY book_title ON book (title);
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import BOTH, POSTGRES, Script, Seen

ID = "sql/concurrent-index-in-transaction"
LEVEL: Level = "error"
PHASES, DIALECTS = BOTH, POSTGRES
NEW, OPTIONAL = True, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.Index) and change.concurrently and seen.transaction:
        yield (
            f"{change.verb} INDEX CONCURRENTLY stands between BEGIN and COMMIT, where PostgreSQL refuses it, and the"
            " migration fails. Move it out (Django: atomic = False; Alembic: autocommit_block())."
        )
