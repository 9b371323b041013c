"""Everything that interrupted runs left, on this machine, for this user: found in the journals, finished or taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from proxyswitch.errors import ProxyswitchError
from proxyswitch.release import deploy, transaction
from proxyswitch.release.journal import Journal
from proxyswitch.release.world import World
from proxyswitch.system import locks, state


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


def _one(world: World, journal: Journal, name: str, *, keep: bool) -> str:
    if name.startswith("app-"):
        return _app(world, name.removeprefix("app-"))
    conf = journal.records()[0]["conf"] if journal.records() else ""
    return _proxy(world, conf, name.partition("-")[0], keep=keep) if conf else ""


def _app(world: World, app: str) -> str:
    with world.lock_app(app):
        if not deploy.journal_of(app).records():
            return ""
        world.app(app)
        return deploy.recover(world, app)


def _proxy(world: World, conf: str, name: str, *, keep: bool) -> str:
    other = World(world.settings, replace(world.options, conf=conf), world.lock_timeout, world.report, world.tick)
    proxy = other.proxy(name)
    at = transaction.places(proxy)
    with locks.hold(at.lock, f"the config {conf}", other.proxy_timeout):
        if keep:
            return f"{conf}: kept as it is" if transaction.keep(at) else ""
        return f"{conf}: recovered" if transaction.recover(proxy, at, world.report) else ""
