"""Nothing is proposed that our own settings refuse: such an app is put there as a comment, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from proxyswitch import settings
from proxyswitch.errors import SettingsError
from proxyswitch.proposal import write
from proxyswitch.proposal.proposed import Proposed
from proxyswitch.proposal.seen import Seen

NAME = "proxyswitch.toml"


def checked(apps: Iterable[Proposed]) -> list[Proposed]:
    """The same apps; one that is sure is one that can be used as it is."""
    return [replace(app, doubt=why) if app.sure and (why := refusal(write.app(app))) else app for app in apps]


def whole(seen: Seen, apps: Iterable[Proposed]) -> str:
    """The text of the file. Raises SettingsError when it is not valid, which is a fault of ours."""
    text = write.text(seen, apps)
    settings.parse(text.encode(), NAME)
    return text


def refusal(text: str) -> str:
    """Why settings refuse a text; empty where they take it."""
    try:
        settings.parse(text.encode(), NAME)
    except SettingsError as error:
        return error.what.removeprefix(f"{NAME}: ")
    return ""
