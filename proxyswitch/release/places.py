"""Where the state of one proxy lies: its locks, journal, history, backups."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from proxyswitch.proxies.base import Proxy
from proxyswitch.release.history import History
from proxyswitch.release.journal import Journal
from proxyswitch.system import files, locks, state


@dataclass(frozen=True, slots=True)
class Files:
    """Where the state of one proxy lies. All its locks are held for a change, in this order."""

    locks: tuple[Path, ...]
    journal: Journal
    history: History
    backups: Path


def places(proxy: Proxy) -> Files:
    """The state of that proxy, keyed by what it is found by; folders are made where missing."""
    keys = [f"{proxy.name}-{state.key(name)}" for name in proxy.keys]
    return Files(
        tuple(state.sub("locks") / f"{key}.lock" for key in keys),
        Journal(state.sub("journal") / f"{keys[0]}.jsonl"),
        History(state.folder() / "history.jsonl"),
        state.sub("backups"),
    )


def hold(proxy: Proxy, timeout: float) -> contextlib.ExitStack:
    """All locks of that proxy, waited for at most `timeout` seconds each. Raises Busy."""
    with contextlib.ExitStack() as scope:
        for lock in places(proxy).locks:
            scope.enter_context(locks.hold(lock, f"the config {proxy.conf}", timeout))
        return scope.pop_all()


def clear(folders: Iterable[str]) -> None:
    """Remove dotfiles that killed runs left in these folders, and their copies for the test. A living run's stay."""
    for folder in {*folders, str(state.sub("staging"))}:
        files.clear(folder)
