"""Small disks of their own, for tests. Needs root."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def tmpfs(place: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts one with those options below `place`, as often as it is asked; they are unmounted at the end."""
    made: list[Path] = []

    def mount(options: str) -> Path:
        folder = place / f"disk{len(made)}"
        folder.mkdir()
        argv = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        if subprocess.run(argv, check=False, capture_output=True).returncode:
            pytest.skip("mount is not allowed here")
        made.append(folder)
        return folder

    try:
        yield mount
    finally:
        for folder in made:
            subprocess.run(["umount", str(folder)], check=True)
