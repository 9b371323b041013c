"""Changes of one pool from the command line: switch, weights, states, and taking the last one back."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Pool, PoolChange, Server, ServerChange, ServerState
from proxyswitch.proxies.base import Candidate, Proxy
from proxyswitch.release import history, intents, places, plan, transaction, undoing
from proxyswitch.release.engine import Engine
from proxyswitch.release.history import Entry, History
from proxyswitch.release.steps import AnyIntent, Plan, WaitHealthy
from proxyswitch.release.traffic import Outcome
from proxyswitch.release.transaction import Tag
from proxyswitch.release.world import World
from proxyswitch.system import state

RECONCILE = "reconcile"
POOL_CHANGES = (history.SWITCH, "weight", "canary", "set", RECONCILE)


@dataclass(frozen=True, slots=True)
class Wish:
    """A change of one pool as it was asked for; `drain` in seconds, 0 does not wait."""

    pool: str
    intent: AnyIntent
    kind: str = history.SWITCH
    proxy: str = "nginx"
    health: tuple[str, ...] = ()
    health_total: float = 60.0
    drain: float = 0.0
    close: bool = False
    force: bool = False
    undoes: str = ""


def change(world: World, wish: Wish) -> Outcome:
    """Do it. Raises what the engine raises."""
    proxy = world.proxy(wish.proxy)
    if wish.health:  # before a wait, not after it: is what is asked for possible at all?
        intents.changes(wish.intent, proxy.pool(wish.pool), force=wish.force)
    return Engine(world, proxy=wish.proxy, tag=Tag(wish.kind, undoes=wish.undoes)).run(_steps(wish))


def _steps(wish: Wish) -> Plan:
    gates = tuple(WaitHealthy(url=url, total=wish.health_total) for url in wish.health)
    return plan.change_pool(wish.pool, wish.intent, gates=gates, drain=wish.drain, close=wish.close, force=wish.force)


def preview(world: World, wish: Wish) -> tuple[Candidate, Plan, str]:
    """What it would do: to the files, step by step, and why although no file changes."""
    proxy = world.proxy(wish.proxy)
    candidate = transaction.preview(proxy, wish.pool, wish.intent, force=wish.force)
    stale = proxy.stale(candidate) if not candidate.files else ""
    return candidate, _steps(wish), stale


def set_right(world: World, proxy: Proxy) -> None:
    """Finish or take back what a killed run left, where a change is made of what is there. Raises NeedsPerson, Busy."""
    undoing.recover_others(proxy, world.proxy_timeout, world.report)
    at = places.places(proxy)
    if at.journal.path.exists():  # who writes it still holds the lock; an empty one goes
        with places.hold(proxy, world.proxy_timeout):
            undoing.recover(proxy, at, world.report)


def past() -> History:
    return History(state.folder() / "history.jsonl")


def last_change(proxy: Proxy, pool: str = "") -> Entry:
    """The newest change of that pool, or of any pool of that config, that can be taken back. Raises UsageError.

    What is part of a release is taken back with it, and never meant where no pool is named.
    """
    conf = os.path.realpath(proxy.conf)

    def fits(e: Entry) -> bool:
        meant = e.pool == pool if pool else not e.release
        return e.kind in POOL_CHANGES and bool(e.change and e.change.servers) and e.conf == conf and meant

    entry = past().last(fits)
    if entry is None:
        raise UsageError(f"nothing to take back: no change of {pool or proxy.conf} is in the history")
    if entry.app:
        raise UsageError(
            f"the last change of {entry.pool} was a release of {entry.app}; the pool alone must not go back",
            next_step=f"take the release back: proxyswitch rollback {entry.app}",
        )
    return entry


def reconciling(proxy: Proxy, pool: str, *, by_file: bool, force: bool) -> Wish:
    """What makes the lines of a pool and what runs of it agree: the one or the other follows."""
    there = proxy.pool(pool)
    _refuse_what_only_runs(proxy, there)
    if by_file:
        return Wish(pool, intents.AsItIs(), RECONCILE, proxy.name, force=force)
    now = {server.name: server for server in proxy.serving(there).servers}
    changes = tuple(ServerChange(s, replace(now[s.name], where=s.where)) for s in there.servers if s.name)
    intent = intents.Exactly(PoolChange(pool, changes), words="the file follows what runs")
    return Wish(pool, intent, RECONCILE, proxy.name, force=force)


def _refuse_what_only_runs(proxy: Proxy, there: Pool) -> None:
    """No line can be changed for it, and what it would say besides its address is not known."""
    seen = proxy.seen([there]).items()
    alone = [label for (_, label), one in seen if one.state == ServerState.READY and not there.find(label)]
    if alone:
        raise UsageError(
            f"{', '.join(alone)} of {there.name} is in no file, only the running {proxy.name} has it",
            next_step="write a line for it into the file, or reload so that it is gone; then run it again",
        )


def last_changed(proxies: list[Proxy]) -> Proxy | None:
    """The one of these proxies that was changed last, as far as that can be taken back."""
    confs = {os.path.realpath(proxy.conf): proxy for proxy in proxies}
    entry = past().last(lambda e: e.kind in POOL_CHANGES and not e.release and e.conf in confs)
    return confs[entry.conf] if entry else None


def rollback_wish(proxy: Proxy, entry: Entry, *, drain: float, force: bool) -> Wish:
    """The inverse of an earlier change, on the file as it is now. Raises Changed, UsageError or Failed unless forced."""
    assert entry.change is not None  # noqa: S101  # last_change looks for those
    pool = proxy.pool(entry.pool)
    back = entry.change.inverse()
    if not force:
        _refuse_if_changed(entry, pool)
        if proxy.near():  # else only the proxy itself can tell
            _refuse_if_dead(pool, back.result(pool.servers).keys())
    intent = intents.Exactly(back, lenient=force, restores=entry.id)
    return Wish(entry.pool, intent, history.ROLLBACK, proxy.name, drain=drain, force=force, undoes=entry.id)


def _refuse_if_changed(entry: Entry, pool: Pool) -> None:
    if Counter(pool.servers) != Counter(entry.after):
        then, now = (", ".join(map(intents.describe, servers)) for servers in (entry.after, pool.servers))
        raise intents.Changed(
            f"{pool.name} was changed since: after the last change it had {then}; now it has {now} ({pool.where})",
            next_step="set it by hand, or take back with --force what still fits",
        )


def _refuse_if_dead(pool: Pool, after: Iterable[Server]) -> None:
    """Going back to an instance that is gone would fail every request."""
    from proxyswitch import health

    waking = [s for s in after if s.live and s not in pool.live]
    endpoints = [s.endpoint for s in waking if s.endpoint]
    answers = {e: health.probe(health.parse_target(str(e))) for e in endpoints}
    dead = [f"{e} ({a.reason})" for e, a in answers.items() if not a.healthy]
    if dead and len(dead) == len(endpoints):
        raise Failed(
            f"nothing answers where {pool.name} would go back to: {', '.join(dead)}",
            next_step="start the old version first, or go back all the same with --force",
        )
