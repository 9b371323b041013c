"""Python in a process namespace of its own: no nginx and no HAProxy of the machine runs there, only those of the test.

All that was started in there ends with it.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import missing

UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--mount-proc")
PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


def python_alone(folder: Path, hide: Sequence[str] = (), nginx: Sequence[Sequence[str]] = ()) -> str:
    """A program that takes the words of Python. The programs `hide` cannot be run there; the commands `nginx` are, first."""
    if subprocess.run([*UNSHARE, "true"], capture_output=True, check=False, timeout=60).returncode != 0:
        missing("unshare with a process namespace", "run the tests as root, outside a strict container")
    found = (shutil.which(name, path=PLACES) for name in hide)
    lines = [f"mount --bind /dev/null {path}" for path in found if path]
    lines += [shlex.join(argv) for argv in nginx]
    masters = "$(grep -la '^nginx: master' /proc/[0-9]*/cmdline | wc -l)"
    lines += [f'until [ "{masters}" -ge {len(nginx)} ]; do sleep 0.02; done']
    script = folder / "python-alone"
    inner = shlex.quote("; ".join([*lines, f'{shlex.quote(sys.executable)} "$@"']))
    script.write_text(f'#!/bin/sh\nexec {shlex.join(UNSHARE)} sh -c {inner} sh "$@"\n')
    script.chmod(0o755)
    return str(script)
