"""The logs of an app: a new file at each start, numbered, the last ones kept; and the end of one, however long."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from proxyswitch.errors import Failed, UsageError
from proxyswitch.system import clock, files

BLOCK = 1 << 16
LIMIT = 1 << 24
READ, LAST = 100, 10  # lines


class Logs:
    """The log files of one app. Their number, not the clock, says which is newer."""

    def __init__(self, app: str, folder: Path, keep: int) -> None:
        self.folder = folder
        self._app = re.sub(r"[^\w.-]", "_", app)
        self._keep = keep

    def of(self, slot: str) -> list[Path]:
        """The logs of a slot, oldest first."""
        pattern = re.compile(rf"{re.escape(f'{self._app}-{slot}')}-\d{{8}}T\d{{6}}-(\d+)\.log")
        try:
            names = os.listdir(self.folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(self.folder, error) from error
        found = sorted((int(match[1]), match[0]) for match in map(pattern.fullmatch, names) if match)
        return [self.folder / name for _, name in found]

    def new(self, slot: str) -> Path:
        """An empty log for the coming start."""
        files.make_folder(self.folder, 0o750)
        older = self.of(slot)
        number = int(older[-1].stem.rpartition("-")[2]) + 1 if older else 1
        stamp = datetime.fromtimestamp(clock.wall(), UTC).strftime("%Y%m%dT%H%M%S")
        path = self.folder / f"{self._app}-{slot}-{stamp}-{number}.log"
        try:
            files.write_new(str(path), b"", 0o640)
        except PermissionError as error:
            raise UsageError(f"{path}: cannot write: {error.strerror}", next_step="run it as a user who may") from error
        except OSError as error:
            raise Failed(f"{path}: cannot write: {error.strerror}") from error
        return path

    def rotate(self, slot: str) -> None:
        """Remove all but the last ones."""
        for path in self.of(slot)[: -self._keep]:
            files.remove(path)


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a file; of a huge one at most what the last 16 MiB hold. A missing file has none."""
    try:
        data = _end(path, lines)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(path, error) from error
    rows = data.decode("utf-8", "replace").removesuffix("\n").split("\n") if data else []
    return rows[-lines:] if lines > 0 else []


def _end(path: Path, lines: int) -> bytes:
    """At least the last lines, read backwards in blocks."""
    blocks: list[bytes] = []
    with open(path, "rb") as file:
        at = limit = file.seek(0, os.SEEK_END)
        breaks = 0
        while at > 0 and breaks <= lines and limit - at < LIMIT:
            size = min(BLOCK, at)
            at = file.seek(at - size)
            blocks.append(file.read(size))
            breaks += blocks[-1].count(b"\n")
    return b"".join(reversed(blocks))


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path}: cannot read: {error.strerror}", next_step="run it as a user who may")


def telling(lines: Iterable[str]) -> list[str]:
    """Those that say something: without where in the code an error was thrown, which would hide the error."""
    return [line for line in lines if line.strip() and not line.startswith((" ", "Traceback"))]


def last_words(log: Callable[[int], Iterable[str]], count: int = LAST) -> list[str]:
    """What a log says in the end; `log` gives its last lines. A traceback is long, and systemd has something to say too."""
    return telling(log(READ))[-count:]
