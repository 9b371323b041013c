"""What a config says about the running HAProxy: its sockets, its state files."""

from __future__ import annotations

import os
from typing import NamedTuple

from proxyswitch.conf.haproxy.config import Config
from proxyswitch.conf.haproxy.pools import Backend, backends


class StatsSocket(NamedTuple):
    """A `stats socket` line: where it listens, as the config says it, and its level (`operator` where none is named)."""

    address: str
    level: str


class StateFile(NamedTuple):
    """A file that HAProxy reads server states from at its start, and the pool that it is for: '' is for all."""

    path: str
    backend: str = ""


def stats_sockets(config: Config) -> list[StatsSocket]:
    """The runtime sockets, the most powerful first."""
    found = []
    for document, line in config.lines(b"stats", b"global"):
        words = document.text(line)
        if words[1:2] == ["socket"] and len(words) > 2:
            level = words[words.index("level") + 1] if "level" in words[3:-1] else "operator"
            found.append(StatsSocket(words[2], level))
    order = {"admin": 0, "operator": 1, "user": 2}
    return sorted(found, key=lambda s: order.get(s.level, 3))


def _global(config: Config, keyword: bytes) -> str:
    """The argument of a global line; the last one counts."""
    found = ""
    for document, line in config.lines(keyword, b"global"):
        found = document.argument(line)
    return found


def chroot(config: Config) -> str:
    return _global(config, b"chroot")


def state_files(config: Config) -> list[StateFile]:
    """The state files that are read at a start (configuration manual: `server-state-file`, `server-state-base`,
    `load-server-state-from-file`, `server-state-file-name`)."""
    base, shared = _global(config, b"server-state-base"), _global(config, b"server-state-file")
    found: list[StateFile] = []
    for backend in backends(config):
        how = _load(backend)
        if how == "global" and shared:
            found.append(StateFile(os.path.join(base, shared) if base else shared))
        elif how == "local":
            found.append(StateFile(os.path.join(base, _local_name(backend)), backend.name))
    return list(dict.fromkeys(found))


def loads_state(backend: Backend) -> bool:
    """True when this pool takes states from a file at a start."""
    return _load(backend) in ("global", "local")


def _load(backend: Backend) -> str:
    said = backend.said(b"load-server-state-from-file")
    return [*said[-1], ""][1] if said else ""


def _local_name(backend: Backend) -> str:
    said = [w for w in backend.said(b"server-state-file-name") if len(w) > 1]
    return said[-1][1] if said and said[-1][1] != "use-backend-name" else backend.name
