"""A copy of what --force replaces, so that nothing of a person's is lost."""

from __future__ import annotations

from proxyswitch.system import files, state

FOLDER = "generated"  # in the state folder


def keep(real: str, data: bytes) -> str:
    """Keep the bytes that a file has; the path of the copy. The next one of that file takes its place."""
    copy = state.sub(FOLDER) / f"{state.key(real)}.replaced"
    files.replace(copy, data)
    return str(copy)
