"""The unified diff of files, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Change(Protocol):
    """A file, by the name that a person knows and by its real one, as it is and as it will be."""

    @property
    def path(self) -> str: ...

    @property
    def real(self) -> str: ...

    @property
    def before(self) -> bytes: ...

    @property
    def after(self) -> bytes: ...


def diff_of(files: Sequence[Change]) -> str:
    """The diff; a file that changes twice is there once."""
    from difflib import unified_diff

    def lines(data: bytes) -> list[str]:
        return data.decode("utf-8", "replace").splitlines(keepends=True)

    out: list[str] = []
    last = {file.real: file for file in files}
    for file in {f.real: f for f in reversed(files)}.values():
        out += unified_diff(lines(file.before), lines(last[file.real].after), file.path, f"{file.path} (new)")
    return "".join(line if line.endswith("\n") else line + "\n\\ no newline at the end\n" for line in out)
