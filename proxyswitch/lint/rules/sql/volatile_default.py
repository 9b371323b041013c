"""A column is added with a default that PostgreSQL computes for every row.

A constant, or a stable function as `now()` or `CURRENT_TIMESTAMP`, is evaluated once and kept beside the table
(PostgreSQL 11 and later). A volatile one, as `random()`, `gen_random_uuid()`, `clock_timestamp()` or `nextval()`,
rewrites the table and its indexes under a lock that stops every query. A function of your own is volatile unless it
was declared otherwise.

FAIL
    ALTER TABLE book ADD COLUMN token uuid DEFAULT gen_random_uuid();

FAIL
    ALTER TABLE book ADD COLUMN seen timestamptz NOT NULL DEFAULT clock_timestamp();

FAIL
    ALTER TABLE book ADD COLUMN code text DEFAULT shop_code();

PASS
    ALTER TABLE book ADD COLUMN made timestamptz NOT NULL DEFAULT now();

PASS
    ALTER TABLE book ADD COLUMN made timestamp DEFAULT (now() AT TIME ZONE 'utc');

PASS
    ALTER TABLE book ADD COLUMN tags jsonb NOT NULL DEFAULT '{}'::jsonb;

PASS
    ALTER TABLE book ADD COLUMN token uuid;
    ALTER TABLE book ALTER COLUMN token SET DEFAULT gen_random_uuid();
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Level
from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.rule import BOTH, POSTGRES, Script, Seen

ID = "sql/volatile-default"
LEVEL: Level = "error"
PHASES, DIALECTS = BOTH, POSTGRES
NEW, OPTIONAL = False, False

# Of PostgreSQL itself, of uuid-ossp and pgcrypto: provolatile in pg_proc is v.
_VOLATILE = """
    clock_timestamp currval gen_random_bytes gen_random_uuid gen_salt lastval nextval random random_normal setval timeofday
    uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 uuidv4 uuidv7
"""
# The parser knows most functions of PostgreSQL by name; these are others that people take for defaults.
_NOT_VOLATILE = """
    age array_fill current_setting daterange decode encode inet_client_addr int4range int8range json_build_array
    json_build_object jsonb_build_array jsonb_build_object make_date make_interval make_time make_timestamp make_timestamptz
    now numrange pg_backend_pid quote_ident quote_literal statement_timestamp timezone to_char to_date to_json to_jsonb
    to_number to_timestamp to_tsvector transaction_timestamp tsrange tstzrange
"""
VOLATILE, NOT_VOLATILE = frozenset(_VOLATILE.split()), frozenset(_NOT_VOLATILE.split())


def check(seen: Seen, _script: Script) -> Iterator[str]:
    change = seen.change
    if not isinstance(change, changes.AddColumn) or change.default is None:
        return
    volatile = change.default.functions & VOLATILE
    strange = change.default.strangers - VOLATILE - NOT_VOLATILE
    if volatile or strange:
        name = min(volatile or strange)
        is_ = "is volatile" if volatile else "may be volatile (a function is, unless it was declared STABLE or IMMUTABLE)"
        yield (
            f"the column {change.column} is added to {change.table} with a default by {name}(), which {is_}: the table is"
            " rewritten under a lock that stops every query. Add the column without a default, then ALTER COLUMN … SET"
            " DEFAULT, and fill the old rows in batches."
        )
