"""A Python that has nothing but what proxyswitch needs at run time to read its settings: none of the extras."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from tests.conftest import REPO


def bare_python(folder: Path) -> str:
    """The path of such an interpreter, in a virtual environment of its own."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "bare")], check=True, timeout=100)
    return str(folder / "bare" / "bin" / "python")


def run_bare(folder: Path, code: str) -> list[str]:
    """The lines that a program prints there."""
    (folder / "lib").mkdir()
    (folder / "lib" / "msgspec").symlink_to(Path(msgspec.__file__).parent)
    done = subprocess.run(
        [bare_python(folder), "-c", code],
        env={"PYTHONPATH": f"{REPO}:{folder}/lib"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
