"""The proposal as data: tables of keys, each with what it is, where it was seen and what is to be checked."""

from __future__ import annotations

from dataclasses import dataclass

CHECK = "CHECK: "
FILL = "FILL IN: "


@dataclass(frozen=True)
class Key:
    """A key with its value. One that is `out` is written as a comment: an alternative."""

    name: str
    value: object
    why: str
    out: bool = False


@dataclass(frozen=True)
class Runner:
    """A driver with the keys of its table. `slot` is the name of the slot that it was seen in; `in_place`: it has one slot,
    where the runner replaces the version itself."""

    driver: str
    keys: tuple[Key, ...]
    why: str
    slot: str = ""
    in_place: bool = False
    doubt: str = ""


@dataclass(frozen=True)
class Table:
    """A table. Of one that is `out` all is written as a comment, `why` as well."""

    path: tuple[str, ...]
    keys: tuple[Key, ...]
    why: str = ""
    out: bool = False


@dataclass(frozen=True)
class Proposed:
    """An app, and why it is put there as a comment only; no doubt: it is sure."""

    name: str
    pool: str
    proxy: str
    driver: str
    tables: tuple[Table, ...]
    doubt: str = ""

    @property
    def sure(self) -> bool:
        return not self.doubt
