"""Follow a log through its rotations, by rename or by copy and truncation: every line once, none of them left out.

A file of the log is known by its first line, which begins with the time: that stays when the file is renamed or copied,
and changes when it is truncated or made anew. Inode numbers say less: a copy has another one, and a new file often gets
that of the file that was just deleted.

Workers write to a rotated file until each of them has opened the new one, and what they buffered comes late: so rotated
files are read on for as long as they are there, and lines of two files may come out of their order.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from proxyswitch.errors import UsageError
from proxyswitch.model import Problem
from proxyswitch.system import files

HEAD = 4096  # bytes: a first line that is longer is told by so many
BLOCK = 1 << 20
KEPT = 100  # so many files that are gone are remembered, in case one was only being renamed
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".lz", ".lzma", ".Z")


class _File(NamedTuple):
    """A file of the log: what tells it, where it is, its size, and when it was last written to (ns)."""

    head: str
    path: str
    size: int
    written: int


class Follower:
    """The new lines of a log, from its end on, or from the `position` that a run before had come to.

    `lost` is how often the log was rotated and the old file was gone (or compressed) before it could be read to its end.
    What is written between the copy and the truncation of a `copytruncate` is lost too, and nobody can tell.
    """

    def __init__(self, path: str, position: Mapping[str, Any] | None = None) -> None:
        """Raises UsageError when the log may not be read. One that is not there yet is read from its first line on."""
        self.path = os.path.abspath(path)
        self.lost = 0
        self._live = ""
        self._offsets: dict[str, int] = {}
        if position is None:
            found = self._scan()
            for file in found:  # two of them are one where somebody made a copy
                self._offsets[file.head] = max(_end(file), self._offsets.get(file.head, 0))
            self._live = self._newest(found)
        else:
            self.lost, self._live = position["lost"], position["live"]
            self._offsets = dict(position["offsets"])

    @property
    def position(self) -> dict[str, Any]:
        """How far it has come, for JSON: up to the line that was handed out last."""
        return {"live": self._live, "offsets": dict(self._offsets), "lost": self.lost}

    @property
    def problem(self) -> Problem | None:
        """What to tell a person about lines that may be missing."""
        if not self.lost:
            return None
        return Problem(
            f"{self.path}: lines may be missing: {self.lost} rotated file(s) were gone or compressed before they were read",
            "let logrotate keep the last one as it is: delaycompress",
        )

    def lines(self) -> Iterator[bytes]:
        """The complete lines since, without their newlines, those of rotated files first. Raises UsageError.

        A last line without a newline is kept back until it has one.
        """
        found = self._scan()
        if self._is_lost(found):
            found = self._scan()  # it may have been renamed while we looked
        if self._is_lost(found):
            self.lost += 1
            self._live = self._newest(found)
        self._forget(found)
        for file in found:
            yield from self._rest(file)
        self._live = self._newest(found)  # not before: until here the one that was live is not read to its end

    def _is_lost(self, found: list[_File]) -> bool:
        """True when the file that was live is gone, and another is in its place. Without another it may come back."""
        return self._newest(found) != self._live and all(file.head != self._live for file in found) and bool(self._live)

    def _newest(self, found: list[_File]) -> str:
        """The file that is written to now; while there is none, the one that was."""
        return next((file.head for file in found if file.path == self.path), self._live)

    def _forget(self, found: list[_File]) -> None:
        """Keep what is remembered within bounds."""
        there = {file.head for file in found}
        gone = [head for head in self._offsets if head not in there]
        for head in gone[: max(0, len(gone) - KEPT)]:
            del self._offsets[head]

    def _rest(self, file: _File) -> Iterator[bytes]:
        offset = self._offsets.setdefault(file.head, 0)
        if file.size <= offset:
            return
        try:
            fd = os.open(file.path, os.O_RDONLY)
        except OSError:  # renamed or removed in between: next time
            return
        try:
            while lines := _block(fd, file.head, offset):
                for line in lines:
                    offset = self._offsets[file.head] = offset + len(line)
                    yield line.removesuffix(b"\n")
        finally:
            os.close(fd)

    def _scan(self) -> list[_File]:
        """The files of the log that have a first line, those last written to last, and behind them the live one."""
        found = [file for path in (*_rotated(self.path), self.path) if (file := self._file(path))]
        return sorted(found, key=lambda file: (file.path == self.path, file.written))

    def _file(self, path: str) -> _File | None:
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode):
                return None
            head = files.read_from(path, 0, HEAD)
        except FileNotFoundError:
            return None
        except OSError as error:
            if path != self.path:
                return None
            raise UsageError(f"{path}: cannot read: {error.strerror}", next_step="run it as a user who may") from error
        known = _head(head)
        return _File(known, path, status.st_size, status.st_mtime_ns) if known else None


def _rotated(path: str) -> list[str]:
    """The files beside it that a rotation may have made: name.1, name.2, name-20260101; not the compressed ones."""
    folder, name = os.path.split(path)
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [os.path.join(folder, n) for n in names if n.startswith((f"{name}.", f"{name}-")) and not n.endswith(COMPRESSED)]


def _head(data: bytes) -> str:
    """What tells the file that begins so; empty while its first line is not complete."""
    first, newline, _ = data.partition(b"\n")
    return files.digest(first)[:32] if newline or len(data) >= HEAD else ""


def _block(fd: int, head: str, offset: int) -> list[bytes]:
    """The complete lines at `offset`, with their newlines; none when the file has been truncated by now."""
    data = os.pread(fd, BLOCK, offset)
    if _head(os.pread(fd, HEAD, 0)) != head:  # looked at last: what was read before is of that file for certain
        return []
    end = data.rfind(b"\n") + 1
    if not end and len(data) == BLOCK:
        return [data]  # no line of ours is so long: handed on as it is, to be counted as broken
    return [line + b"\n" for line in data[:end].split(b"\n")[:-1]]


def _end(file: _File) -> int:
    """Behind the last complete line of a file."""
    start = max(0, file.size - BLOCK)
    try:
        data = files.read_from(file.path, start, file.size - start)
    except OSError:
        return file.size
    return start + data.rfind(b"\n") + 1 if b"\n" in data else file.size
