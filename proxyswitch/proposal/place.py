"""Where the proposal goes: into a new file; over one that is there only when told to, and then a copy is kept."""

from __future__ import annotations

import os

from proxyswitch.errors import UsageError
from proxyswitch.generate import kept
from proxyswitch.system import files


def put(path: str, text: str, *, force: bool) -> str:
    """Write it, whole or not at all. Returns the copy of what was there; empty where nothing was.

    Raises UsageError where a file is there, or none may be written; Failed when the disk is full.
    """
    if not force:
        _must_be_free(path)
        files.create(path, text.encode(), 0o644)
        return ""
    real = os.path.realpath(path)
    copy = _keep(real)
    if copy:
        files.check_writable(real)
        files.rewrite(real, text.encode(), "init")
    else:
        files.replace(real, text.encode(), 0o644)
    return copy


def _must_be_free(path: str) -> None:
    if os.path.lexists(path):
        raise taken(path)


def taken(path: str) -> UsageError:
    step = "--force writes over it, and keeps a copy; --output names another file; without --write it is only shown"
    return UsageError(f"{path} is there already", next_step=step)


def _keep(real: str) -> str:
    try:
        data = files.read(real)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"{real}: cannot read: {error.strerror}") from None
    return kept.keep(real, data)
