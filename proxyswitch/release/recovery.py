"""Everything that interrupted runs left, on this machine, for this user: found in the journals, finished or taken back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from proxyswitch.errors import Busy, ProxyswitchError
from proxyswitch.proxies import PROXIES
from proxyswitch.proxies.base import Options
from proxyswitch.release import places, running, undoing
from proxyswitch.release.journal import Journal, Record
from proxyswitch.release.world import World
from proxyswitch.system import locks, state


def left() -> list[str]:
    """What interrupted runs left, in words: one line each, the running ones too. Nothing is done."""
    found = [(path, Journal(path).records()) for path in sorted(state.sub("journal").glob("*.jsonl"))]
    return [_words(path.stem, records[0]) for path, records in found if records]


def _words(name: str, begun: Record) -> str:
    entry = begun["entry"]
    where = begun.get("conf") or name
    return f"{where}: {entry['kind']} of {entry['app'] or entry['pool']}, begun by {entry['user']}"


def recover_all(world: World, *, keep: bool) -> Iterator[tuple[str, ProxyswitchError | None]]:
    """Set right what is there, one by one: what was done in words, and the error where it could not be done.

    `keep` leaves the files of an interrupted change as they are now, and forgets it.
    """
    for path in sorted(state.sub("journal").glob("*.jsonl")):
        journal = Journal(path)
        try:
            told = _one(world, journal, path.stem, keep=keep)
            if told:
                yield told, None
        except ProxyswitchError as error:
            yield path.stem, error
    _clear(world)


def _clear(world: World) -> None:
    """A run that was killed before its journal began has left its copies beside the config, and no other trace."""
    for name in PROXIES:
        with contextlib.suppress(ProxyswitchError):  # without a proxy, or a config that can be read, there are none
            proxy = world.proxy(name)
            pools = {os.path.dirname(os.path.realpath(pool.where.path)) for pool in proxy.pools()}
            places.clear(proxy.folders | pools)


def _one(world: World, journal: Journal, name: str, *, keep: bool) -> str:
    records = journal.records()
    if not records:
        _drop(journal, name)
        return ""
    if name.startswith("app-"):
        return _app(world, name.removeprefix("app-"))
    return _proxy(world, records[0], name.partition("-")[0], keep=keep)


def _drop(journal: Journal, name: str) -> None:
    """A run was killed while it wrote its first record: it had begun nothing. One that lives holds the lock."""
    with contextlib.suppress(Busy), locks.hold(state.sub("locks") / f"{name}.lock", name, 0):
        if not journal.records():
            journal.end()


def _app(world: World, app: str) -> str:
    with world.lock_app(app):
        if not running.journal_of(app).records():
            return ""
        world.app(app)
        return running.recover(world, app)


def _proxy(world: World, begun: Record, name: str, *, keep: bool) -> str:
    conf, options = begun["conf"], Options(**begun["found_by"])
    other = World(world.settings, {name: options}, world.lock_timeout, world.report, world.detail, world.tick)
    proxy = other.proxy(name)
    at = places.places(proxy)
    with places.hold(proxy, other.proxy_timeout):
        if keep:
            return f"{conf}: kept as it is" if undoing.keep(at) else ""
        return f"{conf}: recovered" if undoing.recover(proxy, at, world.report) else ""
