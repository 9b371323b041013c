"""The only module that calls sqlglot's parser."""

from __future__ import annotations

import logging
import re
from functools import lru_cache

from sqlglot import exp, parse_one

from proxyswitch.lint.sql.changes import Name

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # what it cannot read is a finding, not a line in the log
USUAL_SCHEMA = {"mysql": "", "postgres": "public", "sqlite": "main"}


def parse(sql: str, dialect: str) -> exp.Expression | None:
    """The tree of one statement; None where the parser does not understand it."""
    try:
        tree = parse_one(sql, read=dialect)
    except Exception:  # noqa: BLE001  # its own errors, deep nesting, its bugs: all the same to us, and told
        return None
    return tree if isinstance(tree, exp.Expression) and not isinstance(tree, exp.Command) else None


def table_of(tree: object, dialect: str) -> Name:
    """The name of a table in a tree."""
    found = tree.find(exp.Table) if isinstance(tree, exp.Expression) else None
    if found is None:
        return Name("", "")
    schema = found.args.get("db")
    return Name(_usual(folded(schema, dialect), dialect), folded(found.this, dialect))


def folded(node: object, dialect: str) -> str:
    """A name as the database compares it: PostgreSQL keeps the case of one in quotes, else it does not count."""
    if not isinstance(node, exp.Expression):
        return str(node or "")
    named = node.find(exp.Identifier)
    if named is None:
        return node.name
    return named.name if dialect == "postgres" and named.args.get("quoted") else named.name.lower()


def _usual(schema: str, dialect: str) -> str:
    return "" if schema == USUAL_SCHEMA[dialect] else schema


@lru_cache(maxsize=4096)
def name_of(words: str, dialect: str) -> Name:
    """The same for a name as it is written: `public.book`, `"Book"`."""
    return table_of(parse(f"SELECT 1 FROM {words}", dialect), dialect)  # noqa: S608  # parsed only


def calls(tree: exp.Expression, dialect: str) -> tuple[frozenset[str], frozenset[str]]:
    """The functions that an expression calls, in lower case; all, and those that the parser does not know."""
    all_, strangers = set(), set()
    for node in tree.find_all(exp.Func):
        found = re.match(r"\w+(?=\()", node.sql(dialect))
        name = (node.name if isinstance(node, exp.Anonymous) else found[0] if found else "").lower()
        if name:
            all_.add(name)
            strangers |= {name} if isinstance(node, exp.Anonymous) else set()
    return frozenset(all_), frozenset(strangers)
