"""What the tables of `proxyswitch.toml` are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

# A command of the person's own: an argv list, or a string for `/bin/sh -c`.
Command = str | list[str]


class Seconds(float):
    """A duration in seconds; in the file a number, or text as `30s`, `2m`."""


def seconds(default: float) -> Any:
    """A field of that many seconds."""
    return field(default_factory=lambda: Seconds(default))


class Percent(float):
    """A share in percent; in the file a text, as `5%` or `0.5%`."""

    PATTERN = r"\d{1,3}(\.\d+)?%"

    @classmethod
    def parse(cls, text: object) -> Percent:
        """Raises ValueError."""
        if not isinstance(text, str) or not re.fullmatch(cls.PATTERN, text, re.ASCII):
            raise ValueError('expected a share, as "5%"')
        return cls(text.removesuffix("%"))

    def __str__(self) -> str:
        return f"{float(self):g}%"


def percent(default: float) -> Any:
    """A field with that share."""
    return field(default_factory=lambda: Percent(default))


class Bytes(int):
    """An amount of memory or disk in bytes; in the file a number, or text as `512M`, `1.5G`: K, M, G and T are 1024 to its
    power."""

    UNITS = "KMGT"
    PATTERN = rf"\d+(\.\d+)?[{UNITS}]?"

    @classmethod
    def parse(cls, value: object) -> Bytes:
        """Raises ValueError."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return cls(value)
        if not isinstance(value, str) or not re.fullmatch(cls.PATTERN, value, re.ASCII):
            raise ValueError("expected an amount: bytes, or as 512M, 1.5G")
        number = value.rstrip(cls.UNITS)
        return cls(float(number) * 1024 ** (cls.UNITS.find(value[-1]) + 1))

    def __str__(self) -> str:
        """For people: `310 MB`, `1.5 GB`, `17 bytes`."""
        power = min(max(self.bit_length() - 1, 0) // 10, len(self.UNITS))
        if not power:
            return f"{int(self)} bytes"
        number = self / 1024**power
        return f"{number:.1f} {self.UNITS[power - 1]}B" if number < 10 else f"{number:.0f} {self.UNITS[power - 1]}B"


def amount(default: str) -> Any:
    """A field with that amount."""
    return field(default_factory=lambda: Bytes.parse(default))


class Local(str):
    """A file or folder. A relative one counts from the folder of the settings file; an empty one is none."""

    __slots__ = ()


def local(default: str = "") -> Any:
    """A field with that file or folder."""
    return field(default_factory=lambda: Local(default))


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class Runner(Section, frozen=True):
    """A table of an app runner."""

    def problems(self, slots: tuple[str, ...]) -> Iterator[str]:  # noqa: ARG002  # for those that need them
        """What is wrong with it that types cannot say, as `key: what`; `slots` are the names of the app's slots."""
        yield from ()


def suggest(word: str, known: Mapping[str, object] | list[str]) -> str:
    """`: did you mean …?`, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), 1, 0.6)
    return f": did you mean {close[0]!r}?" if close else ""


def absolute(section: Section, folder: Path) -> Section:
    """The table with its files and folders absolute."""
    values = {name: _absolute(getattr(section, name), folder) for name in section.__struct_fields__}
    return msgspec.structs.replace(section, **values)


def _absolute(value: object, folder: Path) -> object:
    if isinstance(value, list):
        return [_absolute(item, folder) for item in value]
    return Local(folder / value) if isinstance(value, Local) and value else value
