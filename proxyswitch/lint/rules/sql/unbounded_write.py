"""An UPDATE or DELETE of every row, in one go.

Every row stays locked until the end, replicas lag, and on PostgreSQL the table grows to twice its size. Do it in
batches, each in a transaction of its own: by ranges of the key, as `WHERE id BETWEEN 1 AND 10000`.

FAIL
    UPDATE book SET price = 0;

FAIL
    DELETE FROM review WHERE true;

FAIL
    WITH gone AS (DELETE FROM review RETURNING id) SELECT count(*) FROM gone;

PASS
    UPDATE book SET price = 0 WHERE id BETWEEN 1 AND 10000 AND price IS NULL;

PASS
    CREATE TABLE stage (id int);
    DELETE FROM stage;
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import ALL, BOTH, Script, Seen

ID = "sql/unbounded-write"
LEVEL: Level = "warning"
PHASES, DIALECTS = BOTH, ALL
NEW, OPTIONAL = False, False


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if isinstance(change, changes.Write) and not change.bounded:
        yield (
            f"{change.verb} of every row of {change.table}: all of them stay locked until it is done, and the old version"
            " waits. Do it in batches, WHERE id BETWEEN … AND …, each in a transaction of its own."
        )
