"""A table is changed without a limit on the wait for its lock. Only with `--enable lock-timeout`.

An ALTER TABLE waits for the longest query on the table, and every other query waits behind it: a change of a moment
stops the site. With a limit it fails instead, and can be tried again. It is off by default because the limit is
often set elsewhere, for the role or the connection (`options=-c lock_timeout=2s`).

FAIL
    ALTER TABLE book ADD COLUMN subtitle text;

PASS
    SET lock_timeout = '2s';
    ALTER TABLE book ADD COLUMN subtitle text;

PASS
    CREATE TABLE review (id int);
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import BOTH, POSTGRES, Script, Seen

ID = "sql/lock-timeout"
LEVEL: Level = "warning"
PHASES, DIALECTS = BOTH, POSTGRES
NEW, OPTIONAL = False, True

_LOCKING = (
    changes.AddColumn,
    changes.AddConstraint,
    changes.ChangeType,
    changes.DropColumn,
    changes.DropDefault,
    changes.DropTable,
    changes.RenameColumn,
    changes.RenameTable,
    changes.SetNotNull,
    changes.Truncate,
)


def check(seen: Seen, _script: Script) -> Iterator[str]:
    if isinstance(seen.change, _LOCKING) and not seen.limited:
        yield (
            "no lock_timeout is set: while this waits behind a long query, every other query of the table waits behind"
            " it. Write SET lock_timeout = '2s' before it, and try again when it fails."
        )
