"""Fixed texts: shown as a diff, or written over the person's files."""

from __future__ import annotations

from collections.abc import Iterable

from proxyswitch.errors import Failed
from proxyswitch.lint.fix import Change
from proxyswitch.system import files


def write(changes: Iterable[Change]) -> None:
    """Write all of them, each whole or not at all, with its mode, owner and links.

    All are ready before the first is written. Raises Failed when one is not what was judged any more, and UsageError when
    one must not be written.
    """
    ready: list[tuple[str, Change]] = []
    try:
        for change in changes:
            files.check_writable(change.real)
            ready.append((files.prepare(change.real, change.after, "fix"), change))
        for _, change in ready:
            _compare(change)
        for temp, change in ready:
            if not files.commit(temp, change.real):  # a mount point
                files.overwrite(change.real, change.after)
    finally:
        for temp, _ in ready:
            files.remove(temp)


def _compare(change: Change) -> None:
    if files.read(change.real) != change.before:
        raise Failed(f"{change.path}: somebody changed this file meanwhile: nothing was fixed", next_step="run it again")
