"""A column as it is written in ADD COLUMN, MODIFY and CHANGE."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from proxyswitch.lint.sql.changes import AddColumn, Default, Name
from proxyswitch.lint.sql.parse import calls, folded

SERIAL = {"SERIAL", "BIGSERIAL", "SMALLSERIAL"}


def added(table: Name, column: exp.ColumnDef, dialect: str) -> AddColumn:
    """What ADD COLUMN adds."""
    kinds = {type(c.kind): c.kind for c in column.constraints if c.kind is not None}
    return AddColumn(
        table,
        column=folded(column.this, dialect),
        nullable=is_nullable(column),
        default=_default(kinds.get(exp.DefaultColumnConstraint), dialect),
        generated=_generated(column, kinds),
        unique=exp.UniqueColumnConstraint in kinds or exp.PrimaryKeyColumnConstraint in kinds,
        check=exp.CheckColumnConstraint in kinds,
        references=exp.Reference in kinds,
    )


def is_nullable(column: exp.ColumnDef) -> bool:
    """False for NOT NULL and PRIMARY KEY."""
    for constraint in column.constraints:
        kind = constraint.kind
        if isinstance(kind, exp.PrimaryKeyColumnConstraint):
            return False
        if isinstance(kind, exp.NotNullColumnConstraint) and not kind.args.get("allow_null"):
            return False
    return True


def _default(kind: Any, dialect: str) -> Default | None:
    if kind is None or isinstance(kind.this, exp.Null):
        return None
    return Default(kind.this.sql(dialect), *calls(kind.this, dialect))


def _generated(column: exp.ColumnDef, kinds: dict[Any, Any]) -> str:
    type_ = column.args.get("kind")
    if type_ is not None and type_.sql().upper() in SERIAL:
        return "serial"
    if exp.AutoIncrementColumnConstraint in kinds:
        return "identity"
    if computed := kinds.get(exp.ComputedColumnConstraint):  # PostgreSQL's are read only with STORED behind them
        return "stored" if computed.args.get("persisted", True) else "virtual"
    identity = kinds.get(exp.GeneratedAsIdentityColumnConstraint)
    if identity is None:
        return ""
    return "identity" if identity.args.get("expression") is None else "virtual"
