"""The link to the release that runs, as `current` → `releases/42`: moved in one step, and back."""

from __future__ import annotations

import os

from proxyswitch.errors import Failed, UsageError
from proxyswitch.system import files


def points_to(link: str) -> str:
    """The text of the link; empty when there is none. Raises UsageError where something else stands there."""
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""
    except OSError as error:
        what = "is no symbolic link" if os.path.lexists(link) and not os.path.islink(link) else error.strerror
        raise UsageError(f"{link}: {what}", next_step="it must be a link to the release that runs") from error


def move(link: str, target: str) -> str:
    """Let the link point to a folder that is there. Returns where it pointed before. Raises UsageError, Failed."""
    before = points_to(link)
    if not os.path.isdir(os.path.join(os.path.dirname(link), target)):
        raise UsageError(f"there is no folder {target}", next_step="put the release there first, in the hook prepare")
    back(link, target)
    return before


def back(link: str, target: str) -> None:
    """Let the link point to what it pointed to before; no text: it was not there."""
    if points_to(link) == target:
        return
    try:
        if target:
            files.relink(link, target)
        else:
            files.remove(link)
    except OSError as error:
        raise Failed(f"{link}: cannot be moved: {error.strerror}", next_step="run it as a user who may") from error
