"""The journal of a run that is under way: JSON lines, each flushed to disk before what it announces is done.

A journal that is there belongs to a run that works still (it holds the lock) or was killed. The end of a run removes it.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from proxyswitch.errors import Failed, NeedsPerson
from proxyswitch.system import clock, files

Record = dict[str, Any]


class Journal:
    """One file of records."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, **data: Any) -> None:
        """The first record, in a new file; file and folder are flushed."""
        files.remove(self.path)
        try:
            self.add("begin", **data)
            files.sync_folder(str(self.path.parent))
        except BaseException:  # what was not announced will not be done: there is nothing to recover
            files.remove(self.path)
            raise

    def add(self, kind: str, **data: Any) -> None:
        """Append a record. Raises Failed when the disk is full."""
        entry = {"kind": kind, "at": clock.wall(), **data}
        files.append(self.path, json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def end(self) -> None:
        """The run is over and known to history: nothing is left to recover."""
        files.remove(self.path)
        with contextlib.suppress(Failed):  # should it come back after a power cut, recovery finds all done
            files.sync_folder(str(self.path.parent))

    def records(self) -> list[Record]:
        """What was written; a line that a crash cut off does not count. Raises NeedsPerson when it makes no sense."""
        try:
            lines = files.read(self.path).split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        known = [r for r in map(_record, lines) if r]
        if lines and (not known or known[0]["kind"] != "begin"):
            raise NeedsPerson(
                f"{self.path}: the journal of an interrupted run cannot be read",
                state="nothing was done now; what that run left is unknown",
                next_step="look at the config, then remove the journal",
            )
        return known


def _record(line: bytes) -> Record | None:
    """A record; None for a line that a crash cut off, which announces nothing that was done."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "kind" in record else None
