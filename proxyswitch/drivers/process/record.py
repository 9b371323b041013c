"""The pid file of a slot: which process, since when. One of another start of the machine says nothing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from proxyswitch.errors import UsageError
from proxyswitch.model import ProcessId
from proxyswitch.system import files, proc


@dataclass(frozen=True, slots=True)
class Record:
    """What was started: `start` in ticks since boot, `since` in seconds since 1970."""

    pid: int
    start: int
    version: str
    since: float
    log: str
    boot: str

    @property
    def process(self) -> ProcessId:
        return ProcessId(self.pid, self.start)


def save(path: Path, record: Record) -> None:
    files.replace(path, json.dumps(asdict(record)).encode())


def load(path: Path) -> Record | None:
    """The record; None when there is none, it is damaged, or the machine was started again since."""
    try:
        record = _parse(files.read(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(
            f"{path}: cannot read: {error.strerror}", next_step="run it as the user who started the app, or with sudo"
        ) from error
    return record if record and record.pid > 1 and record.boot == proc.boot() else None


def _parse(data: bytes) -> Record | None:
    try:
        tree = json.loads(data)
        return Record(
            pid=int(tree["pid"]),
            start=int(tree["start"]),
            version=str(tree["version"]),
            since=float(tree["since"]),
            log=str(tree["log"]),
            boot=str(tree["boot"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
