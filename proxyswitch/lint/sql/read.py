"""A statement → the changes that it makes. What cannot be told is `Unknown`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from sqlglot import exp

from proxyswitch.lint.sql import alter, changes, words
from proxyswitch.lint.sql.changes import NOBODY, Change, Unknown
from proxyswitch.lint.sql.parse import calls, parse, table_of
from proxyswitch.lint.sql.split import Statement

_ALTER_TABLE = re.compile(r"ALTER (?:IGNORE )?(?:FOREIGN )?TABLE (?!ALL IN)")
# functions that a dump calls in a SELECT of their own
_CALLED = {"setval", "set_config", "pg_advisory_lock", "pg_advisory_unlock", "pg_advisory_xact_lock"}


def changes_of(statement: Statement, dialect: str) -> Iterator[tuple[Change, int]]:
    """Each change with its offset; at least one."""
    at = statement.at
    if statement.command:
        yield words.of_client(statement.text), at
    elif statement.rows:
        yield Unknown(why="the rows of COPY … FROM stdin are data, and not looked at"), at
    elif _ALTER_TABLE.match(statement.words):
        yield from alter.clauses(statement, dialect)
    else:
        known = words.of_words(statement.words, words.FIRST, dialect)
        yield from ((change, at) for change in known or _by_tree(statement, dialect))


def _by_tree(statement: Statement, dialect: str) -> Iterator[Change]:
    tree = parse(statement.text, dialect)
    make = _KINDS.get(type(tree))
    if tree is None or make is None:
        yield Unknown(why=f"the SQL parser does not know {alter.shown(statement)!r}")
        return
    yield from make(tree, dialect)


def _create(tree: Any, dialect: str) -> Iterator[Change]:
    kind, table = (tree.args.get("kind") or "").upper(), table_of(tree.this, dialect)
    if kind == "TABLE" and not tree.args.get("replace"):
        yield changes.CreateTable(table, sure=not tree.args.get("exists"))
    elif kind == "INDEX":
        yield changes.Index(table, verb="CREATE", concurrently=bool(tree.args.get("concurrently")))
    elif kind == "VIEW" and not (tree.args.get("replace") and dialect == "mysql"):
        yield changes.Harmless(table)  # PostgreSQL replaces a view only by one with the same columns
    elif kind == "VIEW":
        yield Unknown(table, why=f"OR REPLACE may take columns from the view {table}, which are not known here")
    else:
        yield Unknown(table, why=f"CREATE OR REPLACE {kind}")


def _drop(tree: Any, dialect: str) -> Iterator[Change]:
    kind = (tree.args.get("kind") or "").upper()
    if kind != "TABLE":
        yield Unknown(why=f"DROP {kind}")
        return
    for table in tree.args.get("tables") or [tree.this]:
        yield changes.DropTable(table_of(table, dialect))


def _truncate(tree: Any, dialect: str) -> Iterator[Change]:
    for table in tree.expressions:
        yield changes.Truncate(table_of(table, dialect))


def _data(tree: Any, dialect: str) -> Iterator[Change]:
    """Rows that are written or read: also by an UPDATE or a DELETE inside WITH."""
    found = False
    for write in tree.find_all(exp.Update, exp.Delete):
        found, verb = True, "DELETE" if isinstance(write, exp.Delete) else "UPDATE"
        bounded = _bounds(write.args.get("where")) or write.args.get("limit") is not None
        yield changes.Write(_written(write, dialect), verb=verb, bounded=bounded)
    strangers = calls(tree, dialect)[1] - _CALLED if isinstance(tree, exp.Select) else frozenset()
    if strangers:
        yield Unknown(why=f"what the function {min(strangers)} does is not known here")
    elif not found:
        yield changes.Harmless()


def _written(write: Any, dialect: str) -> changes.Name:
    tables = write.args.get("tables")  # MySQL: DELETE a FROM a JOIN b
    target = tables[0] if tables else write.this
    return table_of(target, dialect) if target is not None else NOBODY


def _bounds(where: Any) -> bool:
    """False for no WHERE, WHERE true, and WHERE 1 = 1."""
    if where is None:
        return False
    if isinstance(where.this, exp.EQ):
        left, right = where.this.this, where.this.expression
        return not (isinstance(left, exp.Literal) and left == right)
    return not (isinstance(where.this, exp.Boolean) and where.this.this)


_KINDS: dict[type[Any], Callable[[Any, str], Iterator[Change]]] = {
    exp.Create: _create,
    exp.Delete: _data,
    exp.Drop: _drop,
    exp.Insert: _data,
    exp.Select: _data,
    exp.TruncateTable: _truncate,
    exp.Union: _data,
    exp.Update: _data,
}
