"""Something that lint cannot judge: it is told, never passed over.

Statements that the SQL parser does not know or cannot read, blocks of code (`DO $$ … $$`), psql's commands that run
other files, and the rows behind `COPY … FROM stdin`. Look yourself, and ignore the rule at that line.

FAIL
    DO $$ BEGIN PERFORM 1; END $$;

FAIL
    ALTER TABLE book ATTACH PARTITION book_2026 FOR VALUES FROM (1) TO (2);

FAIL
    SELEC 1;

FAIL
    \\i more.sql

PASS
    SET search_path = shop;
    COMMENT ON TABLE book IS 'books';
    GRANT SELECT ON book TO reader;

PASS
    -- proxyswitch: ignore=sql/not-judged
    DO $$ BEGIN PERFORM 1; END $$;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, BOTH, Script, Seen

ID = "sql/not-judged"
LEVEL: Level = "warning"
PHASES, DIALECTS = BOTH, ALL
NEW, OPTIONAL = True, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    if isinstance(seen.change, changes.Unknown):
        yield f"this cannot be judged: {seen.change.why}. Look yourself whether the old version can live with it."
