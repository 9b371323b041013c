"""What would keep a notifier from telling: for `doctor`. Looks only; nobody is told anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from proxyswitch.errors import SettingsError
from proxyswitch.model import Problem
from proxyswitch.notify import secret
from proxyswitch.settings_notify import Notify

EXTRA = "pip install 'proxyswitch[notify]'"


def problems(notifiers: Sequence[Notify]) -> list[Problem]:
    """What is wrong with those who are to be told, in the words of a release's warnings."""
    return [
        Problem(f"notify {number} ({secret.label(entry)}): {found.what}", found.next_step)
        for number, entry in enumerate(notifiers, 1)
        for found in _of(entry)
    ]


def _of(entry: Notify) -> Iterator[Problem]:
    path = entry.url_file or entry.apprise_file
    if path and secret.is_open(path):
        yield Problem(f"everybody may read or change {path}", f"chmod 600 {path}")
    if entry.way == "apprise" and find_spec("apprise") is None:
        yield Problem("apprise is not installed", EXTRA)
    if entry.way == "command":
        yield from _of_command(entry)
        return
    try:
        secret.address(entry)
        for value in entry.headers.values():
            secret.fill(value)
    except SettingsError as error:
        yield Problem(error.what, error.next_step)


def _of_command(entry: Notify) -> Iterator[Problem]:
    if not isinstance(entry.command, str) and not shutil.which(entry.command[0]):
        yield Problem("there is no such program", "write its whole path")
