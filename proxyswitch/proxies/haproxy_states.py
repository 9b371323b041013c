"""State files: what HAProxy reads server states from at a start, where its config says so.

A stale one overrides the config: an old port, an old `maint`. So one that is there is written anew after each change, from
what runs. One that is not there is not made: without it the config alone counts, which is right. While HAProxy does not
run, the lines of the servers that change are taken out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from proxyswitch.conf.haproxy import running
from proxyswitch.conf.haproxy.config import Config
from proxyswitch.model import ServerState
from proxyswitch.proxies.base import FileChange
from proxyswitch.proxies.haproxy_socket import Runtime, ServerRow
from proxyswitch.proxies.haproxy_tables import servers
from proxyswitch.system import files


def paths(config: Config, folder: str, pool: str = "") -> list[tuple[str, str]]:
    """The files that are there, each with the backend that it is for ('' for all); those that speak of one pool."""
    found = []
    for file in running.state_files(config):
        path = os.path.join(folder, file.path)
        if os.path.isfile(path) and pool in ("", file.backend or pool):
            found.append((path, file.backend))
    return found


def refresh(config: Config, folder: str, pool: str, runtime: Runtime) -> None:
    """Write the files of a pool anew from what runs, atomically, with mode and owner. Raises what files and socket raise."""
    for path, backend in paths(config, folder, pool):
        _put(path, runtime.servers_text(backend))


def make_way(config: Config, folder: str, pool: str, names: set[str] | None, runtime: Runtime | None) -> None:
    """The files as it runs, but for these servers of a pool (None: all), which the config alone speaks for then.

    Else a start, or anybody's reload, in the middle of a change could leave all of them out: one as the config says, the
    other as the file says.
    """
    for path, backend in paths(config, folder):
        data = runtime.servers_text(backend) if runtime else files.read(path)
        _put(path, _besides(data, pool, names))


def _put(path: str, data: bytes) -> None:
    """Write a file anew if it differs, atomically, with mode and owner."""
    real = os.path.realpath(path)
    if files.read(real) == data:
        return
    temp = files.temp_name(real, "state")
    files.remove(temp)  # a signal to us may have come between: what is taken back then comes here again
    try:
        files.prepare(real, data, "state")
        if not files.commit(temp, real):
            files.overwrite(real, data)
    finally:
        files.remove(temp)


def read(path: str) -> list[ServerRow] | None:
    """The servers that a state file knows; None for one that cannot be read, which HAProxy passes over too."""
    try:
        text = files.read(path).decode("ascii")
        return servers(text if text.endswith("\n\n") else text.rstrip("\n") + "\n\n")
    except (OSError, ValueError):
        return None


def outdated(config: Config, folder: str, rows: list[ServerRow]) -> Iterator[tuple[ServerRow, str]]:
    """Servers of which a state file says something else than what runs: how they run, and what it says in words."""
    running_now = {(row.backend, row.server): row for row in rows}
    for path, _ in paths(config, folder):
        for saved in read(path) or ():
            now = running_now.get((saved.backend, saved.server))
            if now and _facts(saved) != _facts(now):
                yield (
                    now,
                    f"the state file {path} has it as {saved.state} at {saved.address}:{saved.port}, weight {saved.weight}",
                )


def _facts(row: ServerRow) -> tuple[object, ...]:
    """Out is out, however."""
    return row.state is ServerState.READY, row.weight, row.address, row.port


def without(config: Config, folder: str, pool: str, names: set[str]) -> list[FileChange]:
    """The files of a pool without the lines of these servers, so that the config alone counts for them."""
    changes = []
    for path, _ in paths(config, folder, pool):
        real = os.path.realpath(path)
        before = files.read(real)
        after = _besides(before, pool, names)
        if after != before:
            changes.append(FileChange(path, real, before, after))
    return changes


def _besides(data: bytes, pool: str, names: set[str] | None) -> bytes:
    """The text without the lines of these servers, or of all servers of the pool."""
    return b"".join(line for line in data.splitlines(keepends=True) if not _is_of(line, pool, names))


def _is_of(line: bytes, pool: str, names: set[str] | None) -> bool:
    """A line is `be_id be_name srv_id srv_name …` (management guide, `show servers state`)."""
    words = line.decode("utf-8", "replace").split()
    return len(words) > 3 and not words[0].startswith("#") and words[1] == pool and (names is None or words[3] in names)
