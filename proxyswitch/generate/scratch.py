"""A folder of its own for a test of what was made, gone afterwards: in the state folder, so that nothing strays in /tmp."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from proxyswitch.errors import Failed
from proxyswitch.generate import kept
from proxyswitch.generate.render import Made
from proxyswitch.system import files, proc, state

NAME = "test-"


@contextmanager
def folder() -> Iterator[str]:
    """Raises Failed when the disk is full, or nothing may be written there: nothing was changed then."""
    store = str(state.sub(kept.FOLDER))
    _clear(store)
    made = os.path.join(store, f"{NAME}{os.getpid()}")
    try:
        os.mkdir(made, 0o700)
        yield made
    except OSError as error:
        where = os.fsdecode(error.filename or made)
        raise Failed(
            f"the new file cannot be tested: {where}: {error.strerror}", next_step="free some disk space, then run it again"
        ) from error
    finally:
        files.remove_folder(made)


def put(where: str, made: Made) -> str:
    """The file, by its own name, in such a folder. Returns its path."""
    path = os.path.join(where, os.path.basename(made.path))
    files.write_new(path, made.text.encode(), 0o644, flush=False)
    return path


def _clear(store: str) -> None:
    """Remove what killed runs left."""
    for name in os.listdir(store):
        pid = name.removeprefix(NAME)
        if name.startswith(NAME) and not (pid.isdecimal() and proc.identify(int(pid))):
            files.remove_folder(os.path.join(store, name))
