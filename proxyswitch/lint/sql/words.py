"""Statements and clauses that the SQL parser reads as "some command", by their words.

What stands in none of these tables is unknown, never harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from proxyswitch.lint.sql import changes
from proxyswitch.lint.sql.changes import Change, Name, Unknown
from proxyswitch.lint.sql.parse import name_of

_PART = r'(?:\w+|"[^"]*"|`[^`]*`|\[[^\]]*\])'
NAME = rf"{_PART}(?: \. {_PART})*"
Make = Callable[[re.Match[str], str, Name], Iterable[Change]]
Table = tuple[tuple[re.Pattern[str], Make], ...]


def name(words: str, dialect: str) -> Name:
    """A name from the words of a statement, where what is not quoted stands in capitals."""
    text = words.replace(" . ", ".")
    return name_of(re.sub(_PART, lambda m: m[0].lower() if m[0][0] not in '"`[' else m[0], text), dialect)


def _table(*rows: tuple[str, Make]) -> Table:
    return tuple((re.compile(pattern.replace("~", NAME) + r"\Z", re.S), make) for pattern, make in rows)


def _just(kind: type[Change]) -> Make:
    return lambda _found, _dialect, table: [kind(table)]


def _index(verb: str) -> Make:
    return lambda found, _dialect, table: [changes.Index(table, verb=verb, concurrently="CONCURRENTLY" in found[0].split())]


def _renamed(found: re.Match[str], dialect: str, _table: Name) -> Iterable[Change]:
    for pair in found["pairs"].split(" , "):
        old, _, new = pair.partition(" TO ")
        yield changes.RenameTable(name(old, dialect), to=name(new, dialect))


def _drop(found: re.Match[str], dialect: str, _table: Name) -> Iterable[Change]:
    yield changes.DropObject(kind=found["kind"].lower(), name=str(name(found["name"], dialect)))


def _enum(found: re.Match[str], dialect: str, _table: Name) -> Iterable[Change]:
    yield changes.AddEnumValue(type=str(name(found["name"], dialect)))


def _unknown(why: str) -> Make:
    return lambda _found, _dialect, table: [Unknown(table, why=why)]


def _view_renamed(found: re.Match[str], dialect: str, _table: Name) -> Iterable[Change]:
    yield changes.RenameTable(name(found["old"], dialect), to=name(found["new"], dialect), kind="view")


_HARMLESS = _just(changes.Harmless)
_MODES = (
    "WORK|TRANSACTION|DEFERRED|IMMEDIATE|EXCLUSIVE|ISOLATION|LEVEL|READ|WRITE|ONLY|COMMITTED|UNCOMMITTED|REPEATABLE|SERIALIZABLE"
    "|NOT|DEFERRABLE|WITH|CONSISTENT|SNAPSHOT|,"
)

# Read before the parser, which takes some of these for something else.
FIRST = _table(
    (rf"(?:BEGIN|START TRANSACTION)(?: (?:{_MODES}))*", _just(changes.Begin)),
    (r"(?:COMMIT|END|ROLLBACK)(?: (?:WORK|TRANSACTION))?(?: AND NO CHAIN)?", _just(changes.End)),
    (r"(?:SAVEPOINT|RELEASE|ROLLBACK(?: WORK| TRANSACTION)? TO) .*", _HARMLESS),
    (r"SET (?:SESSION |LOCAL |@@SESSION \. )?LOCK_TIMEOUT\b.*", _just(changes.SetLockTimeout)),
    (r"SELECT (?:PG_CATALOG \. )?SET_CONFIG \( 'lock_timeout' .*", _just(changes.SetLockTimeout)),
    (r"(?:SET (?:SESSION |LOCAL )?(?:SEARCH_PATH|ROLE|SESSION AUTHORIZATION|SCHEMA)\b|USE ).*", _just(changes.Elsewhere)),
    (r"SELECT (?:PG_CATALOG \. )?SET_CONFIG \( 'search_path' .*", _just(changes.Elsewhere)),
    (r"(?:SET|RESET|SHOW|LISTEN|NOTIFY|DISCARD) (?!LOGGED|UNLOGGED|SCHEMA).*", _HARMLESS),
    (r"PRAGMA (?!WRITABLE_SCHEMA).*", _HARMLESS),
    (r"(?:ANALYZE|COMMENT ON|GRANT|SECURITY LABEL)\b.*", _HARMLESS),
    (r"VACUUM(?! FULL\b)(?: \w+)*", _HARMLESS),
    (r"UNLOCK TABLES", _HARMLESS),
    (r"LOCK TABLES?\b.*", _unknown("it locks tables as a whole")),
    (r"CREATE (?:EXTENSION|SCHEMA|SEQUENCE|ROLE|USER|TYPE|DOMAIN|COLLATION|STATISTICS|DATABASE)\b.*", _HARMLESS),
    (r"CREATE (?:FUNCTION|PROCEDURE|AGGREGATE|(?:TEMP |TEMPORARY |CONSTRAINT )?TRIGGER)\b.*", _HARMLESS),
    (r"ALTER TYPE (?P<name>~) ADD VALUE .*", _enum),
    (r"ALTER SEQUENCE ~ (?:OWNED BY|OWNER TO|START|RESTART|CACHE)\b.*", _HARMLESS),
    (r"ALTER (?!TABLE|FOREIGN)\w+ (?:\w+ )*?(?:IF EXISTS )?~(?: \( .* \))? OWNER TO .*", _HARMLESS),
    (r"ALTER INDEX (?:IF EXISTS )?~ (?:RENAME TO|SET|RESET|ATTACH PARTITION) .*", _HARMLESS),
    (r"ALTER VIEW (?:IF EXISTS )?(?P<old>~) RENAME TO (?P<new>~)", _view_renamed),
    (r"RENAME TABLE (?P<pairs>.*)", _renamed),
    (r"REINDEX .*", _index("REINDEX")),
    (r"DROP INDEX (?:CONCURRENTLY )?.*", _index("DROP")),
    (
        r"DROP (?P<kind>MATERIALIZED VIEW|VIEW|TYPE|SCHEMA|DATABASE|SEQUENCE|FUNCTION|PROCEDURE|TRIGGER|EXTENSION|DOMAIN"
        r"|AGGREGATE|ROUTINE|ROLE|USER|POLICY|RULE|OPERATOR)(?: IF EXISTS)? (?P<name>~).*",
        _drop,
    ),
)


def _using_index(found: re.Match[str], _dialect: str, table: Name) -> Iterable[Change]:
    yield changes.AddConstraint(table, kind=found["kind"].lower(), using_index=True)


def _check(found: re.Match[str], _dialect: str, table: Name) -> Iterable[Change]:
    yield changes.AddConstraint(table, kind="check", not_valid=bool(found["not_valid"]))


def _validated(found: re.Match[str], dialect: str, table: Name) -> Iterable[Change]:
    yield changes.ValidateConstraint(table, name=name(found["name"], dialect).name)


# Clauses of ALTER TABLE.
CLAUSES = _table(
    (r"VALIDATE CONSTRAINT (?P<name>~)", _validated),
    (r"ADD CHECK \( .* \)(?: NO INHERIT)?(?P<not_valid> NOT VALID)?", _check),
    (r"ADD (?:CONSTRAINT ~ )?(?P<kind>UNIQUE|PRIMARY KEY) USING INDEX .*", _using_index),
    (r"OWNER TO .*|SET \( .* \)|RESET \( .* \)|REPLICA IDENTITY .*|CLUSTER ON .*|SET WITHOUT CLUSTER", _HARMLESS),
    (r"ALTER (?:COLUMN )?~ SET (?:STATISTICS|STORAGE|COMPRESSION|\( ).*", _HARMLESS),
    (r"(?:RENAME|ALTER|DROP) CONSTRAINT .*", _HARMLESS),
    (r"(?:ALGORITHM|LOCK) (?:= )?\w+|(?:DISABLE|ENABLE) KEYS", _HARMLESS),
)
# psql's commands that run no SQL of another file or of a query
_CLIENT = re.compile(
    r"\\(?:restrict|unrestrict|echo|qecho|warn|set|unset|pset|timing|encoding|x|a|t|q|errverbose|prompt|\.)(?:\s|\Z)"
)


def of_words(words: str, table: Table, dialect: str, about: Name = changes.NOBODY) -> list[Change]:
    """What the first row that fits says; nothing where none does."""
    for pattern, make in table:
        if found := pattern.match(words):
            return list(make(found, dialect, about))
    return []


def of_client(line: str) -> Change:
    """A command of psql, or of the mysql client."""
    if re.match(r"\\(?:c|connect)(?:\s|\Z)", line):
        return changes.Elsewhere()
    if _CLIENT.match(line) or not line.startswith("\\"):
        return changes.Harmless()
    return Unknown(why=f"{line.split(maxsplit=1)[0]} is a command of psql, and what it runs is not seen here")
