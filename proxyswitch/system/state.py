"""The state folder: locks, journals, backups, history, and what drivers must remember. Never inside a config folder."""

from __future__ import annotations

import os
from pathlib import Path

from proxyswitch.errors import UsageError
from proxyswitch.system import files

SYSTEM_FOLDER = Path("/var/lib/proxyswitch")


def folder() -> Path:
    """$PROXYSWITCH_STATE, else /var/lib/proxyswitch for root and $XDG_STATE_HOME/proxyswitch for others."""
    named = os.environ.get("PROXYSWITCH_STATE")
    if named:
        return Path(named).absolute()
    if os.geteuid() == 0:
        return SYSTEM_FOLDER
    home = os.environ.get("XDG_STATE_HOME") or _home() / ".local" / "state"
    return Path(home) / "proxyswitch"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise UsageError("no home folder is known for this user", next_step="name a folder in PROXYSWITCH_STATE") from None


def sub(name: str, base: Path | None = None) -> Path:
    """A folder inside the state folder, made where missing, for the owner only."""
    files.make_folder(base or folder())
    return files.make_folder((base or folder()) / name)


def key(path: str) -> str:
    """A short file name for a config, by its real path."""
    import hashlib  # 3 ms, which a command that only looks need not spend

    real = os.path.realpath(path)
    return f"{os.path.basename(real)}-{hashlib.sha256(os.fsencode(real)).hexdigest()[:16]}"
