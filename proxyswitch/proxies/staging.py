"""What testing a candidate has in common, whichever proxy tests it: twins that are written, and messages that name them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from proxyswitch.errors import Failed, UsageError
from proxyswitch.system import files
from proxyswitch.system.run import Command, Result, Running


def write(twin: str, data: bytes, who: str) -> None:
    """Write a twin for `who` to test. Raises UsageError without permission, Failed on a full disk."""
    try:
        files.write_new(twin, data, flush=False)
    except OSError as error:
        what = f"{os.path.dirname(twin)}: cannot write the copy that {who} is to test: {error.strerror}"
        if error.errno in files.FULL:
            raise Failed(what, next_step="free some disk space, then run it again") from error
        raise UsageError(what, next_step="run it as a user who may") from error


def run(command: Command, meanwhile: Callable[[], None]) -> Result:
    """Run a test to its end; `meanwhile` runs while the proxy works, and ends it when it raises."""
    running = Running(command)
    try:
        meanwhile()
    except BaseException:
        running.kill()
        running.finish()
        raise
    return running.finish()


def own_names(text: str, names: Mapping[str, str]) -> str:
    """A message with the person's files instead of their twins (`names`: twin to file)."""
    for twin, path in names.items():
        text = text.replace(twin, path)
    return text
