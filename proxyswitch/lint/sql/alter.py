"""ALTER TABLE: its clauses, each read apart, so that each has its own place and none hides behind another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlglot import exp

from proxyswitch.lint.sql import changes, words
from proxyswitch.lint.sql.changes import Change, Name, Unknown
from proxyswitch.lint.sql.column import added, is_nullable
from proxyswitch.lint.sql.parse import folded, name_of, parse
from proxyswitch.lint.sql.split import Statement, Token

_SKIP = {"ALTER", "FOREIGN", "TABLE", "IF", "EXISTS", "ONLY", "IGNORE"}


def clauses(statement: Statement, dialect: str) -> Iterator[tuple[Change, int]]:
    """What each clause does, with its offset."""
    about, rest = _head(statement.tokens)
    table = name_of(about, dialect)
    if not rest:
        yield _not_known(table, statement), statement.at
    for tokens in _split(rest):
        clause = Statement(tokens, statement.text[tokens[0].at - statement.at : tokens[-1].end - statement.at])
        for change in _clause(about, table, clause, dialect):
            yield change, clause.at


def _head(tokens: Sequence[Token]) -> tuple[str, Sequence[Token]]:
    """The table's name as it is written, and the tokens behind it."""
    at = next((i for i, t in enumerate(tokens) if t.kind != "word" or t.text.upper() not in _SKIP), len(tokens))
    end = at + 1
    while end + 1 < len(tokens) and tokens[end].text == ".":
        end += 2
    name = "".join(t.text for t in tokens[at:end])
    return name, tokens[end + 1 :] if tokens[end : end + 1] and tokens[end].text == "*" else tokens[end:]


def _split(tokens: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """The clauses: what stands between commas outside of parentheses."""
    depth, found = 0, list[Token]()
    for token in tokens:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0) if token.kind == "other" else 0
        if token.text == "," and not depth:
            if found:
                yield tuple(found)
            found = []
        else:
            found.append(token)
    if found:
        yield tuple(found)


def _clause(about: str, table: Name, clause: Statement, dialect: str) -> Iterable[Change]:
    if known := words.of_words(clause.words, words.CLAUSES, dialect, table):
        return known
    tree = parse(f"ALTER TABLE {about} {clause.text}", dialect)
    if isinstance(tree, exp.Alter):
        return _action(tree, table, dialect) or [_not_known(table, clause)]
    return [_not_known(table, clause)]


def _not_known(table: Name, what: Statement) -> Unknown:
    return Unknown(table, why=f"the SQL parser does not know {shown(what)!r}")


def shown(statement: Statement) -> str:
    """The first words of a statement, for a message. No strings: one may be a password."""
    text, end = "", statement.at
    for token in statement.tokens:
        text += " " * (token.at > end) + ("'…'" if token.kind in ("string", "dollar") else token.text)
        end = token.end
        if len(text) > 60:
            return f"{text[:57]}..."
    return text


def _action(tree: exp.Alter, table: Name, dialect: str) -> list[Change]:
    """What the one action of a tree does; nothing where that is not known."""
    actions, options = tree.args.get("actions") or [], tree.args.get("options") or []
    if len(actions) != 1:
        return []
    (action,) = actions
    if isinstance(action, exp.AlterRename):
        return [_renamed(action, options, table, dialect)]
    make = _KINDS.get(type(action))
    return list(make(action, tree, table, dialect)) if make and not options else []


def _renamed(action: exp.AlterRename, options: list[Any], table: Name, dialect: str) -> Change:
    """RENAME TO b; and `RENAME a TO b`, which is a column, and which the parser splits in two."""
    new = folded(action.this, dialect)
    if options:
        return changes.RenameColumn(table, column=new, to=folded(options[0].this, dialect))
    return changes.RenameTable(table, to=Name(table.schema, new))


def _column(action: Any, _tree: exp.Alter, table: Name, dialect: str) -> Iterator[Change]:
    yield added(table, action, dialect)


def _rename_column(action: Any, _tree: exp.Alter, table: Name, dialect: str) -> Iterator[Change]:
    yield changes.RenameColumn(table, column=folded(action.this, dialect), to=folded(action.args.get("to"), dialect))


def _drop(action: Any, _tree: exp.Alter, table: Name, dialect: str) -> Iterator[Change]:
    names = action.args.get("tables") or ([action.this] if action.this else [])
    kind = (action.args.get("kind") or "").upper()
    if kind == "COLUMN":
        yield from (changes.DropColumn(table, column=folded(name, dialect)) for name in names)
    elif kind in ("CONSTRAINT", "INDEX", "FOREIGN KEY", "CHECK"):
        yield changes.Harmless(table)


def _alter_column(action: Any, _tree: exp.Alter, table: Name, dialect: str) -> Iterator[Change]:
    column, args = folded(action.this, dialect), action.args
    if args.get("dtype") is not None:
        yield changes.ChangeType(table, column=column, to=args["dtype"].sql(dialect))
    elif args.get("default") is not None or args.get("allow_null") is True:
        yield changes.Harmless(table)
    elif args.get("allow_null") is False and not args.get("drop"):
        yield changes.SetNotNull(table, column=column)
    elif args.get("drop"):
        yield changes.DropDefault(table, column=column)


def _modify(action: Any, _tree: exp.Alter, table: Name, dialect: str) -> Iterator[Change]:
    """MySQL's MODIFY and CHANGE, which write a column anew, type and all."""
    column, old = action.this, folded(action.args.get("rename_from"), dialect)
    name = folded(column.this, dialect)
    if old and old != name:
        yield changes.RenameColumn(table, column=old, to=name)
    yield changes.ChangeType(table, column=old or name, to=column.args["kind"].sql(dialect))
    if not is_nullable(column):
        yield changes.SetNotNull(table, column=old or name)


def _harmless(_action: Any, _tree: exp.Alter, table: Name, _dialect: str) -> Iterator[Change]:
    yield changes.Harmless(table)


_CONSTRAINTS: dict[type[Any], str] = {
    exp.CheckColumnConstraint: "check",
    exp.ForeignKey: "foreign key",
    exp.PrimaryKey: "primary key",
    exp.UniqueColumnConstraint: "unique",
    exp.IndexColumnConstraint: "index",
    exp.ExcludeColumnConstraint: "exclude",
}


def _constraint(action: Any, tree: exp.Alter, table: Name, dialect: str) -> Iterator[Change]:
    for given in action.expressions:
        named = isinstance(given, exp.Constraint)
        for body in given.expressions[:1] if named else [given]:
            kind = _CONSTRAINTS.get(type(body))
            if kind == "index":
                yield changes.Index(table, verb="CREATE")
            elif kind:
                yield changes.AddConstraint(
                    table,
                    kind=kind,
                    name=folded(given.this, dialect) if named else "",
                    not_valid=bool(tree.args.get("not_valid")),
                    not_null=_proves(body, dialect),
                )


def _proves(body: exp.Expression, dialect: str) -> str:
    """The column that CHECK (column IS NOT NULL) is about; '' for any other constraint."""
    inner = body.this
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if isinstance(inner, exp.Not):  # how older versions of the parser have it
        inner, negated = inner.this, True
    else:
        negated = isinstance(inner, exp.Is) and bool(inner.args.get("negate"))
    plain = isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null) and isinstance(inner.this, exp.Column)
    return folded(inner.this, dialect) if plain and negated else ""


_Make = Callable[[Any, exp.Alter, Name, str], Iterator[Change]]
_KINDS: dict[type[Any], _Make] = {
    exp.AddConstraint: _constraint,
    exp.AlterColumn: _alter_column,
    exp.ColumnDef: _column,
    exp.Drop: _drop,
    exp.ModifyColumn: _modify,
    exp.RenameColumn: _rename_column,
    exp.RenameIndex: _harmless,
}
