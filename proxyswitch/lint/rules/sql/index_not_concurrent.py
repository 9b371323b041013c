"""An index is made or dropped without CONCURRENTLY.

PostgreSQL lets nobody write to the table while it makes an index, and nobody read either while it drops one.
Django: `AddIndexConcurrently` with `atomic = False`. Alembic: `postgresql_concurrently=True` in an `autocommit_block()`.

FAIL
    CREATE INDEX book_title ON book (title);

FAIL
    DROP INDEX book_title;

FAIL
    REINDEX TABLE book;

PASS
    CREATE INDEX CONCURRENTLY book_title ON book (title);

PASS
    DROP INDEX CONCURRENTLY book_title;

PASS
    CREATE TABLE review (id int, book_id int);
    CREATE INDEX review_book ON review (book_id);

PASS (mysql)
    CREATE INDEX book_title ON book (title);
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import BOTH, POSTGRES, Script, Seen

ID = "sql/index-not-concurrent"
LEVEL: Level = "error"
PHASES, DIALECTS = BOTH, POSTGRES
NEW, OPTIONAL = False, False

_WRITE = {
    "CREATE": "CREATE INDEX CONCURRENTLY",
    "DROP": "DROP INDEX CONCURRENTLY",
    "REINDEX": "REINDEX … CONCURRENTLY (PostgreSQL 12 and later)",
}


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.Index) and not change.concurrently:
        what = "DROP INDEX stops every query" if change.verb == "DROP" else f"{change.verb} INDEX stops every write"
        yield f"{what} of the table until it is done. Write {_WRITE[change.verb]}, outside of a transaction."
