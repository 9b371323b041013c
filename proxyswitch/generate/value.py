"""The values of a kind: each is an option of the command, a question on a terminal and a variable of the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from proxyswitch.errors import UsageError
from proxyswitch.generate import words
from proxyswitch.generate.words import Word

REQUIRED: Final = object()
# As it was given: one text, several for a value that is `many`, none where it was not.
Texts = str | Sequence[str] | None
Given = Mapping[str, Texts]
Values = dict[str, Any]


@dataclass(frozen=True)
class Value:
    """One value. `default` is a value, or a function of those before it; `many` takes several; `metavar` is for the help.

    A value whose word is `words.yes` is a switch: --KEY or --no-KEY.
    """

    key: str
    word: Word
    help: str
    default: object = REQUIRED
    many: bool = False
    metavar: str = "TEXT"

    @property
    def option(self) -> str:
        return f"--{self.key.replace('_', '-')}"

    @property
    def switch(self) -> bool:
        return self.word is words.yes

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def parse(self, given: str | Sequence[str]) -> object:
        """Raises ValueError."""
        if not self.many:
            return self.word(given if isinstance(given, str) else given[-1])
        return tuple(self.word(text) for text in ([given] if isinstance(given, str) else given))

    def otherwise(self, before: Values) -> object:
        """What it is when nobody says it."""
        return self.default(before) if callable(self.default) else self.default


def missing(values: Sequence[Value], given: Given) -> list[Value]:
    """The values that must be said and are not."""
    return [value for value in values if value.required and not given.get(value.key)]


def resolve(values: Sequence[Value], given: Given) -> Values:
    """All values, checked. Raises UsageError, which names the option."""
    found: Values = {}
    for value in values:
        text = given.get(value.key)
        try:
            found[value.key] = value.parse(text) if text else value.otherwise(found)
        except ValueError as error:
            raise UsageError(f"{value.option}: {error}") from None
    return found


def unsaid(kind: str, lacking: Sequence[Value]) -> UsageError:
    """Somebody must say these."""
    named = " and ".join(f"{value.option} ({value.help.rstrip('.')})" for value in lacking)
    return UsageError(f"generate {kind} needs {named}", next_step=f"see proxyswitch generate {kind} --help")
