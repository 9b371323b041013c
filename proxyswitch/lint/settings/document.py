"""A settings file, and where its keys stand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

_PART = rb"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_PATH = rb"%s(?:[ \t]*\.[ \t]*%s)*" % (_PART, _PART)
_LINE = re.compile(rb"^[ \t]*(?:(?P<open>\[\[?)[ \t]*(?P<table>%s)[ \t]*\]|(?P<key>%s)[ \t]*=)" % (_PATH, _PATH), re.M)


@dataclass(frozen=True)
class Document:
    """A file as it was read."""

    path: str
    data: bytes

    @cached_property
    def _places(self) -> dict[str, int]:
        """Where each table and key begins, by its path as a person writes it: `apps.web.pool`, `notify 2.url`."""
        places: dict[str, int] = {}
        table, numbers = "", dict[str, int]()
        for found in _LINE.finditer(self.data):
            if found["table"]:
                table = _plain(found["table"])
                if found["open"] == b"[[":
                    numbers[table] = numbers.get(table, 0) + 1
                    table = f"{table} {numbers[table]}"
                places.setdefault(table, found.start("table"))
            else:
                name = _plain(found["key"])
                places.setdefault(f"{table}.{name}" if table else name, found.start("key"))
        return places

    def place(self, key: str) -> int:
        """Where a key stands, or the nearest thing around it that has a place; else the begin of the file."""
        for step in [key, *(key[: found.start()] for found in reversed(list(re.finditer(r"[.\[]", key))))]:
            if step in self._places:
                return self._inside(self._places[step], key[len(step) :])
            below = next((at for path, at in self._places.items() if path.startswith((f"{step}.", f"{step} "))), -1)
            if below >= 0:
                return below
        return 0

    def _inside(self, at: int, rest: str) -> int:
        """A key of an inline table, on the line of that table."""
        name = re.match(r"\.([\w-]+)", rest)
        end = self.data.find(b"\n", at)
        line = self.data[at : end if end >= 0 else len(self.data)]
        found = name and re.search(rb"[{,][ \t]*(%s)[ \t]*=" % re.escape(name[1].encode()), line)
        return at + found.start(1) if found else at


def _plain(path: bytes) -> str:
    """The path without quotes and blanks."""
    return ".".join(part.decode("utf-8", "replace").strip("\"'") for part in re.findall(_PART, path))
