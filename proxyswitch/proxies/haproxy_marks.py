"""What the running HAProxy knows of its files: those that it loaded, and those that it was told of at runtime since.

After a change at runtime the file is newer than the process, and yet they agree. So the digest of each file that we have
written and told is kept; a file that is newer than the process and has another digest was edited by somebody else.
"""

from __future__ import annotations

import json
import os
from typing import Any

from proxyswitch.conf.haproxy.config import Config
from proxyswitch.model import ProcessId
from proxyswitch.system import files, proc, state

SLACK = 0.05  # seconds: start times count in 0.01 s


def pending(config: Config, conf: str, worker: ProcessId) -> list[str]:
    """The files that were changed after the worker started, and not by a change that it was told of."""
    started, told = proc.started(worker) + SLACK, _read(conf)
    newer = {d.path: d for d in config.documents if files.modified(d.real) > started}
    return sorted(path for path, d in newer.items() if told.get(d.real) != files.digest(d.data))


def remember(config: Config, conf: str, known: list[str]) -> None:
    """The files on disk are what runs, but for those that were pending before (`known`): they are still."""
    told = {d.real: files.digest(files.read(d.real)) for d in config.documents if d.path not in known}
    files.replace(_path(conf), json.dumps(told).encode())


def folder() -> str:
    """Where the digests lie."""
    return str(state.folder() / "haproxy")


def _path(conf: str) -> str:
    return str(state.sub("haproxy") / f"{state.key(conf)}.json")


def _read(conf: str) -> dict[str, Any]:
    try:
        found = json.loads(files.read(os.path.join(folder(), f"{state.key(conf)}.json")))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
