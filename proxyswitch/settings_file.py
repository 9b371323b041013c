"""Where `proxyswitch.toml` is. Apart from settings.py, so that a command without settings need not load that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proxyswitch.errors import SettingsError

NAME = "proxyswitch.toml"
SYSTEM_FOLDER = Path("/etc/proxyswitch")


def find(given: str, environment: Mapping[str, str], folder: Path) -> Path | None:
    """The settings file: `--config`, $PROXYSWITCH_CONFIG, upward from the working folder, /etc/proxyswitch.

    Raises SettingsError when one was named and is not there.
    """
    named = given or environment.get("PROXYSWITCH_CONFIG", "")
    if named:
        path = Path(named)
        if not path.is_file():
            raise SettingsError(f"{path}: no such settings file")
        return path
    places = [folder, *folder.parents, SYSTEM_FOLDER]
    return next((p / NAME for p in places if (p / NAME).is_file()), None)
