"""Files that were put back before nginx was told anything: they look newer than what it has loaded, and are not."""

from __future__ import annotations

import contextlib
import json

from proxyswitch.errors import Failed, UsageError
from proxyswitch.system import files, state

FOLDER = "restored"


def note(real: str, before: float) -> None:
    """It holds what it held at that time (seconds since 1970) again. Where that cannot be noted, it looks newer."""
    with contextlib.suppress(Failed, UsageError):
        files.replace(state.sub(FOLDER) / state.key(real), json.dumps([files.modified(real), before]).encode())


def modified(real: str) -> float:
    """When it last changed, but for changes that were taken back, in seconds since 1970."""
    now = files.modified(real)
    try:
        put_back, before = json.loads(files.read(state.folder() / FOLDER / state.key(real)))
    except (OSError, ValueError):
        return now
    return float(before) if put_back == now else now
