"""What a release was started with, for who goes back to it: the variables of its runner's table, as they were then.

They may be secret, so they are no part of the history: a file a release, for its owner only; only the last ones are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from proxyswitch.release.history import Entry
from proxyswitch.settings_app import App
from proxyswitch.system import files, state

KEPT = 20


def _folder(app: str) -> Path:
    return state.folder() / "apps" / app / "releases"


def save(app: App, entry: Entry) -> None:
    """Remember it for that release. Raises Failed on a full disk."""
    env = getattr(_table(app), "env", None)
    if env is None:
        return
    folder = files.make_folder(_folder(entry.app))
    files.replace(folder / f"{entry.id}.json", msgspec.json.encode(env))
    for old in sorted(folder.glob("*.json"))[:-KEPT]:
        files.remove(old)


def as_then(app: App, name: str, release: str) -> App:
    """The app with the variables of that release; as it is now where none are known."""
    try:
        env = msgspec.json.decode(files.read(_folder(name) / f"{release}.json"), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return app
    return _with(app, env)


def _table(app: App) -> Any:
    return getattr(app, app.driver)


def _with(app: App, env: Mapping[str, str]) -> App:
    table = _table(app)
    if not hasattr(table, "env"):
        return app
    return msgspec.structs.replace(app, **{app.driver: msgspec.structs.replace(table, env=dict(env))})
