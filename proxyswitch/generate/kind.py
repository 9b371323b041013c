"""What a kind of config is: its values, its files, and where they come from in the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxyswitch.generate.value import Value, Values
from proxyswitch.generate.versions import Versions

if TYPE_CHECKING:  # loaded only where there is a settings file
    from proxyswitch.settings_app import App


@dataclass(frozen=True)
class Part:
    """A file of a kind. `path` is where --write puts it, with {key} for the texts of values; `check` names who tests it
    (checking.py); `comment` is what a line of comment begins with; a part for which `when` is false is left out."""

    template: str
    path: str
    check: str = ""
    comment: str = "#"
    mode: int = 0o644
    when: Callable[[Values], bool] = lambda values: True  # noqa: ARG005


def nothing_known(name: str, app: App) -> Mapping[str, str | list[str]]:  # noqa: ARG001
    """For kinds that have nothing to do with an app."""
    return {}


def no_more(values: Values, versions: Versions) -> Values:  # noqa: ARG001
    """For kinds whose values are all that their template needs."""
    return {}


@dataclass(frozen=True)
class Kind:
    """`needs` names the proxies whose version matters. `of_app` gives texts, as on the command line, for what the settings
    know of an app; `more` further variables out of the values, and raises ValueError for values that do not go together;
    `after` is what a person does next, with {key} for
    values; a function where it depends on them."""

    name: str
    title: str
    values: tuple[Value, ...]
    parts: tuple[Part, ...]
    needs: tuple[str, ...] = ()
    of_app: Callable[[str, App], Mapping[str, str | list[str]]] = nothing_known
    more: Callable[[Values, Versions], Values] = no_more
    after: str | Callable[[Values], str] = ""
    variables: Mapping[str, str] = field(default_factory=dict)  # of `more`, each with what it is: for the docs
