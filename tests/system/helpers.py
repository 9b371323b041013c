"""Small programs for these tests to start; each is ended by its pid."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator

from proxyswitch.polling import until


def eventually(look: Callable[[], bool]) -> bool:
    """Wait until `look` is true; False when that takes far too long."""
    return bool(until(lambda: look() or None, 30.0))


@contextlib.contextmanager
def python(code: str, *args: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program that has printed `ready`; killed at the end."""
    argv = [sys.executable, "-c", code, *args]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE, start_new_session=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            yield child
        finally:
            child.kill()
