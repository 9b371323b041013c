"""Real memory control groups, of version 1 or 2, whichever this machine has. Needs root."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxyswitch.polling import until

V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
LIMIT = 30.0


@dataclass(frozen=True)
class Group:
    """One that is ours."""

    folder: Path
    version: int

    @property
    def name(self) -> str:
        """As /proc/PID/cgroup has it."""
        return f"/{self.folder.relative_to(V1 if self.version == 1 else V2)}"

    def limit(self, size: int) -> None:
        (self.folder / ("memory.limit_in_bytes" if self.version == 1 else "memory.max")).write_text(str(size))

    def add(self, pid: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(pid))

    def argv(self, argv: list[str]) -> list[str]:
        """That command, in this group."""
        return ["sh", "-c", f'echo $$ > {shlex.quote(str(self.folder / "cgroup.procs"))} && exec "$@"', "sh", *argv]

    def inner(self, name: str) -> Group:
        """A group inside this one, which then holds no process itself."""
        if self.version == 2:
            (self.folder / "cgroup.subtree_control").write_text("+memory")
        (self.folder / name).mkdir()
        return Group(self.folder / name, self.version)


@contextmanager
def memory_group() -> Iterator[Group]:
    """A new one; at the end its processes must have ended, or end soon."""
    version = 1 if V1.is_dir() else 2
    folder = (V1 if version == 1 else V2) / f"proxyswitch-test-{os.getpid()}"
    try:
        if version == 2:
            (V2 / "cgroup.subtree_control").write_text("+memory")
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        yield Group(folder, version)
    finally:
        assert until(lambda: _removed(folder), LIMIT), f"{folder} stays"


def _removed(folder: Path) -> bool | None:
    """True when it is gone; one whose last process has just ended may be busy for a moment."""
    for inner, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(inner)
    return not folder.exists() or None
