"""Migrations as the tools print them.

The files in printed/ were printed once by the real tools, and are kept as they came: Django 5.2.19 (`sqlmigrate`, on
PostgreSQL 15 and SQLite) and Alembic 1.20.1 with SQLAlchemy 2.1.9 (`upgrade --sql`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.helpers import found

PRINTED = Path(__file__).parent / "printed"
# file → rule with the lines on which it fires in expand
EXPAND: dict[str, dict[str, list[int]]] = {
    "alembic/mysql-a1.sql": {},
    "alembic/mysql-a2.sql": {
        "column-type-change": [11, 13, 15],
        "drop-column": [17],
        "drop-table": [21],
        "not-null-without-default": [3],
        "rename-column": [15],
        "rename-table": [19],
        "set-not-null": [11, 13],
    },
    "alembic/mysql-a3.sql": {},
    "alembic/postgres-a1.sql": {},
    "alembic/postgres-a2.sql": {
        "column-type-change": [15],
        "constraint-not-valid": [9],
        "drop-column": [19],
        "drop-table": [23],
        "index-not-concurrent": [7],
        "not-null-without-default": [5],
        "rename-column": [17],
        "rename-table": [21],
        "set-not-null": [13],
        "unique-constraint": [11],
    },
    "alembic/postgres-a3.sql": {},  # autocommit_block(): COMMIT, the index, BEGIN
    "alembic/sqlite-a1.sql": {},
    "alembic/sqlite-a3.sql": {},
    "django/postgres-0001.sql": {},  # new tables
    "django/postgres-0002.sql": {},  # null=True, db_default=0
    "django/postgres-0003.sql": {"drop-default": [6]},  # default=0
    "django/postgres-0004.sql": {
        "constraint-not-valid": [22],
        "index-not-concurrent": [10, 18, 23],
        "set-not-null": [14],
        "unique-constraint": [9],
    },
    "django/postgres-0005.sql": {
        "column-type-change": [9],
        "drop-column": [13],
        "drop-table": [21],
        "rename-column": [5],
        "rename-table": [17],
    },
    "django/postgres-0006.sql": {},  # AddIndexConcurrently
    "django/sqlite-0002.sql": {"table-rebuilt": [11]},
    "django/sqlite-0003.sql": {"table-rebuilt": [7]},
    "django/sqlite-0005.sql": {
        "drop-column": [20],
        "drop-table": [36],
        "rename-column": [5],
        "rename-table": [24],
        "table-rebuilt": [11, 27],
    },
}


def by_rule(name: str, phase: str) -> dict[str, list[int]]:
    lines: dict[str, list[int]] = {}
    dialect = Path(name).name.partition("-")[0]
    for one in found((PRINTED / name).read_bytes(), dialect=dialect, phase=phase):
        lines.setdefault(one.rule, []).append(one.line)
    return lines


@pytest.mark.parametrize("name", EXPAND)
def test_what_a_tool_prints_is_judged(name: str) -> None:
    assert by_rule(name, "expand") == EXPAND[name]


@pytest.mark.parametrize("name", EXPAND)
def test_in_contract_only_locks_are_left(name: str) -> None:
    locks = {"constraint-not-valid", "index-not-concurrent", "unique-constraint"}
    locks |= {"set-not-null"} if "postgres" in name else set()
    assert by_rule(name, "contract") == {rule: lines for rule, lines in EXPAND[name].items() if rule in locks}


def test_all_files_are_expected() -> None:
    assert sorted(p.relative_to(PRINTED).as_posix() for p in PRINTED.rglob("*.sql")) == sorted(EXPAND)
