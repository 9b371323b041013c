"""What a statement does to a database, in words of our own.

Rules know these values only. What the SQL parser calls them, and what it does not understand, is the business of the
readers. A statement that is no value of these is `Unknown`: nothing passes because nobody knew it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Name(NamedTuple):
    """A table or another object, as the database folds its name; no schema where the usual one is meant."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


NOBODY = Name("", "")


@dataclass(frozen=True, slots=True)
class Change:
    """Base of all; `table` is the table that it is about, `NOBODY` where it is about none."""

    table: Name = NOBODY


@dataclass(frozen=True, slots=True)
class Harmless(Change):
    """Nothing that another version, or a query that runs, could notice."""


@dataclass(frozen=True, slots=True)
class Unknown(Change):
    """It cannot be judged; `why` completes "this cannot be judged: …"."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Begin(Change):
    """A transaction begins."""


@dataclass(frozen=True, slots=True)
class End(Change):
    """A transaction ends."""


@dataclass(frozen=True, slots=True)
class Elsewhere(Change):
    """From here on names mean something else: another database, another search path."""


@dataclass(frozen=True, slots=True)
class SetLockTimeout(Change):
    """A limit on the wait for locks."""


@dataclass(frozen=True, slots=True)
class CreateTable(Change):
    """`sure`: not IF NOT EXISTS, so that it was not there before."""

    sure: bool = True


@dataclass(frozen=True, slots=True)
class DropTable(Change):
    """A table is dropped."""


@dataclass(frozen=True, slots=True)
class RenameTable(Change):
    """A table or a view gets another name."""

    to: Name = NOBODY
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class DropObject(Change):
    """A view, a type, a schema or something else is dropped; `kind` in lower case."""

    kind: str = ""
    name: str = ""


class Default(NamedTuple):
    """The default of a column: its text, and the functions that it calls, in lower case.

    `strangers` are those that the parser does not know: the user's own, or an extension's.
    """

    text: str
    functions: frozenset[str] = frozenset()
    strangers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AddColumn(Change):
    """A column is added. `default` is None without one, and for DEFAULT NULL."""

    column: str = ""
    nullable: bool = True
    default: Default | None = None
    generated: str = ""  # serial, identity, stored, virtual
    unique: bool = False
    check: bool = False
    references: bool = False


@dataclass(frozen=True, slots=True)
class DropColumn(Change):
    column: str = ""


@dataclass(frozen=True, slots=True)
class RenameColumn(Change):
    column: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True)
class ChangeType(Change):
    """The type of a column is written anew, `to` is the new one."""

    column: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True)
class SetNotNull(Change):
    column: str = ""


@dataclass(frozen=True, slots=True)
class DropDefault(Change):
    column: str = ""


@dataclass(frozen=True, slots=True)
class AddConstraint(Change):
    """`kind`: foreign key, check, unique, primary key, exclude. `not_null`: the column of a CHECK (… IS NOT NULL)."""

    kind: str = ""
    name: str = ""
    not_valid: bool = False
    using_index: bool = False
    not_null: str = ""


@dataclass(frozen=True, slots=True)
class ValidateConstraint(Change):
    name: str = ""


@dataclass(frozen=True, slots=True)
class Index(Change):
    """An index is created, dropped or built anew: `verb` is CREATE, DROP or REINDEX."""

    verb: str = ""
    concurrently: bool = False


@dataclass(frozen=True, slots=True)
class AddEnumValue(Change):
    type: str = ""


@dataclass(frozen=True, slots=True)
class Truncate(Change):
    """All rows of a table are thrown away."""


@dataclass(frozen=True, slots=True)
class Write(Change):
    """An UPDATE or a DELETE; `bounded` when not every row is meant."""

    verb: str = ""
    bounded: bool = True
