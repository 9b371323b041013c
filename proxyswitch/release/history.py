"""What was done: one JSON line a change or release, appended and flushed, never rewritten."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from proxyswitch.model import PoolChange, Server
from proxyswitch.release.timings import Timed
from proxyswitch.system import clock, files, locks

# What a later `rollback` can take back.
SWITCH, RELEASE, ROLLBACK = "switch", "release", "rollback"
CONFIRM, FORGET = "confirm", "forget"


class Entry(Struct, frozen=True, kw_only=True):
    """One line. `at` in seconds since 1970, `seconds` how long it took; `undoes` are the ids of what this took back, with
    spaces between them, `release` that of the release it was a part of, `step` the number of its step there.

    `gap`: so many seconds nobody served. `drain`: so many the old side took to finish. `steps` of a release, as they went.
    """

    id: str
    kind: str
    at: float
    result: str = "done"
    pool: str = ""
    proxy: str = "nginx"
    conf: str = ""
    mode: str = ""
    change: PoolChange | None = None
    after: tuple[Server, ...] = ()
    app: str = ""
    version: str = ""
    slot: str = ""
    old_version: str = ""
    old_slot: str = ""
    artefact: str = ""
    old_artefact: str = ""
    undoes: str = ""
    release: str = ""
    step: int = -1
    gap: float = 0.0
    seconds: float = 0.0
    drain: float = 0.0
    user: str = ""
    command: str = ""
    reason: str = ""
    steps: tuple[Timed, ...] = ()

    @property
    def part(self) -> bool:
        """True for the change of a pool that a release made."""
        return bool(self.release and self.pool)


def new_id() -> str:
    """A name for a run that no other run has: time and pid."""
    return f"{int(clock.wall() * 1000):x}-{os.getpid():x}"


def entry(kind: str, **data: Any) -> Entry:
    """An entry with who and when filled in."""
    data.setdefault("at", clock.wall())
    return Entry(kind=kind, user=locks.user(), command=shlex.join(["proxyswitch", *sys.argv[1:]]), **data)


class History:
    """The file of entries."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, what: Entry) -> None:
        files.append(self.path, msgspec.json.encode(what) + b"\n")

    def add_once(self, what: Entry) -> None:
        """For recovery: the run may have been killed just after it wrote its entry."""
        if all(known.id != what.id for known in self.entries()):
            self.add(what)

    def entries(self) -> list[Entry]:
        """All entries, the oldest first. A line that cannot be read (a crash cut it off) is passed over."""
        try:
            lines = files.read(self.path).splitlines()
        except FileNotFoundError:
            return []
        return [e for e in map(_decode, lines) if e]

    def last(self, fits: Callable[[Entry], bool]) -> Entry | None:
        """The newest entry that fits, was done, and has not been taken back since."""
        taken_back: set[str] = set()
        for known in reversed(self.entries()):
            if known.result != "done":
                continue
            if known.undoes:
                taken_back.update(known.undoes.split())
            elif known.id not in taken_back and fits(known):
                return known
        return None

    def standing(self, app: str) -> list[Entry]:
        """The releases of an app that were done and not taken back, the oldest first."""
        entries = self.entries()
        gone = taken_back(entries)
        return [e for e in entries if (e.app, e.kind, e.result) == (app, RELEASE, "done") and e.id not in gone]


def taken_back(entries: list[Entry]) -> set[str]:
    """The ids of what was taken back since. A rollback that failed took nothing back."""
    return {name for entry in entries if entry.result == "done" for name in entry.undoes.split()}


def _decode(line: bytes) -> Entry | None:
    try:
        return msgspec.json.decode(line, type=Entry)
    except (msgspec.MsgspecError, json.JSONDecodeError):
        return None
