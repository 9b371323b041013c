"""What lint finds, and what every rule has, whatever kind of file it is for."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

from proxyswitch.conf.text import Edit

Level = Literal["error", "warning", "info"]
LEVELS: tuple[Level, ...] = ("info", "warning", "error")


class Finding(NamedTuple):
    """One thing at one place. Line and column count from 1, the column in characters.

    `fixes` are edits of the file that mend it for certain; none where a person must decide.
    """

    path: str
    line: int
    column: int
    rule: str
    level: Level
    message: str
    fixes: tuple[Edit, ...] = ()


class Source(NamedTuple):
    """A file as it was read; `path` is the name that findings give it. Files of one `group` are one config of HAProxy."""

    path: str
    data: bytes
    group: str = ""


class Text(Protocol):
    """A file in which something was found."""

    @property
    def path(self) -> str: ...

    @property
    def data(self) -> bytes: ...


class Found(NamedTuple):
    """What a rule for configs says of the byte `at` of a file."""

    text: Text
    at: int
    message: str
    fixes: tuple[Edit, ...] = ()


class Rule(Protocol):
    """A module of lint/rules/. Its docstring is its documentation: a title, why, and FAIL and PASS examples.

    What its generator `check` gets depends on the kind of file: see the Protocol of that kind.
    """

    @property
    def ID(self) -> str: ...  # constants of a module

    @property
    def LEVEL(self) -> Level: ...

    __doc__: str | None
