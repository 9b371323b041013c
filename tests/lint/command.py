"""The command `lint`, in a process of its own."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPO, missing
from tests.runners.store import TOOLS


def lint(
    *words: str, folder: Path, stdin: str | bytes = b"", code: int, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, and compare its exit code; `before` is Python to run first."""
    start = f"{before}\nfrom proxyswitch.cli import main\nmain()"
    data = stdin.encode() if isinstance(stdin, str) else stdin
    env = {**os.environ, "PYTHONPATH": str(REPO)}
    argv = [sys.executable, "-c", start, "lint", *words]
    done = subprocess.run(argv, input=data, capture_output=True, cwd=folder, env=env, timeout=60, check=False)
    told = subprocess.CompletedProcess(argv, done.returncode, done.stdout.decode(), done.stderr.decode())
    assert told.returncode == code, told
    assert "Traceback" not in told.stderr
    return told


def tool(name: str) -> str:
    """A program that a test of lint needs: as setup keeps it, or as it is here."""
    found = shutil.which(name, path=f"{TOOLS}:{os.environ['PATH']}")
    if not found:
        missing(name, "scripts/runners tools")
    return str(found)


def on_terminal(*words: str, folder: Path, **environment: str) -> str:
    """What the command shows on a terminal, standard error included."""
    main, side = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(REPO), "TERM": "xterm", **environment}
    argv = [sys.executable, "-m", "proxyswitch", "lint", *words]
    try:
        subprocess.run(argv, stdin=side, stdout=side, stderr=side, cwd=folder, env=env, timeout=60, check=False)
    finally:
        os.close(side)
    shown = b""
    try:
        while part := os.read(main, 65536):
            shown += part
    except OSError:  # the end of what a terminal holds
        pass
    os.close(main)
    return shown.decode().replace("\r\n", "\n")
