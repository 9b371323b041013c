"""Plans: pure functions from what is wanted and what was seen to the steps that lead there."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from proxyswitch.errors import UsageError
from proxyswitch.model import Instance, Pool, Slot
from proxyswitch.release.intents import SwitchTo
from proxyswitch.release.steps import (
    AnyIntent,
    AnyStep,
    Drain,
    EditConfig,
    Plan,
    Prove,
    RunHook,
    StartInstance,
    StopInstance,
    WaitHealthy,
    Watch,
)
from proxyswitch.settings import App


def change_pool(
    pool: str,
    intent: AnyIntent,
    *,
    gates: tuple[WaitHealthy, ...] = (),
    drain: float = 0,
    close: bool = False,
    force: bool = False,
) -> Plan:
    """One pool is changed: healthy first, then edit, proof, and a wait for the old side if one is wanted (seconds)."""
    steps: tuple[AnyStep, ...] = (*gates, EditConfig(pool, intent, force=force), Prove(pool))
    commit = len(steps)
    return Plan((*steps, Drain(pool, drain, close=close)) if drain else steps, commit)


class Release(Struct, frozen=True):
    """What a deploy starts from: the app, its pool as it is, and what runs in its slots."""

    name: str
    app: App
    pool: Pool
    instances: Mapping[str, Instance | None]
    version: str
    slot: str = ""
    reason: str = "deploy"


def live_slots(app: App, pool: Pool) -> list[Slot]:
    """The slots that the pool sends traffic to."""
    live = [server.endpoint for server in pool.live]
    return [slot for slot in app.places if slot.endpoint in live]


def target_slot(release: Release) -> Slot:
    """Where the new version goes: the named slot, else the first that is not live, behind the live one."""
    live = [slot.name for slot in live_slots(release.app, release.pool)]
    places = list(release.app.places)
    if len(live) > 1:
        raise UsageError(
            f"the pool {release.pool.name} sends traffic to {len(live)} slots of {release.name} ({', '.join(live)}):"
            " blue-green replaces one",
            next_step=f"take one out first: proxyswitch switch {release.pool.name} ADDRESS",
        )
    if release.slot:
        return _named_slot(release, live)
    after = next((i + 1 for i, slot in enumerate(places) if slot.name in live), 0)
    idle = [slot for slot in places[after:] + places[:after] if slot.name not in live]
    if not idle:
        raise UsageError(f"{release.name} has no idle slot: blue-green needs a second one under apps.{release.name}.slots")
    return idle[0]


def _named_slot(release: Release, live: list[str]) -> Slot:
    slot = slot_of(release.name, release.app, release.slot)
    if slot.name in live:
        raise UsageError(f"slot {slot.name} is live: a new version goes to an idle slot")
    return slot


def slot_of(name: str, app: App, slot: str) -> Slot:
    """The slot of that name. Raises UsageError with those that are there."""
    for place in app.places:
        if place.name == slot:
            return place
    raise UsageError(f"{name} has no slot {slot!r}; it has {', '.join(app.slots)}")


def old_slot(release: Release) -> Slot | None:
    return next(iter(live_slots(release.app, release.pool)), None)


def blue_green(release: Release) -> Plan:
    """Start beside the old version, switch when healthy, and stop the old one when its last request is answered."""
    new, old = target_slot(release), old_slot(release)
    before = (*_cleared(release, new), *_begun(release, new, old))
    switched = (*before, *_switched(release, new, old))
    return Plan((*switched, *_finished(release, new, old)), len(switched))


def _hook(release: Release, name: str, new: Slot, old: Slot | None) -> tuple[AnyStep, ...]:
    if getattr(release.app.hooks, name) is None:
        return ()
    running = release.instances.get(old.name) if old else None
    return (
        RunHook(release.name, name, new.name, release.version, old.name if old else "", running.version if running else ""),
    )


def _cleared(release: Release, new: Slot) -> tuple[AnyStep, ...]:
    """An instance that an earlier release left in the slot, because it had not drained, is stopped once it has."""
    if not release.instances.get(new.name):
        return ()
    return Drain(release.pool.name, float(release.app.drain), earlier=True), StopInstance(release.name, new.name)


def _begun(release: Release, new: Slot, old: Slot | None) -> tuple[AnyStep, ...]:
    total = float(release.app.health.total) if release.app.health else 60.0
    return (
        *_hook(release, "prepare", new, old),
        StartInstance(release.name, new.name, release.version),
        WaitHealthy(release.name, new.name, release.version, total=total),
        *_hook(release, "before_switch", new, old),
    )


def _switched(release: Release, new: Slot, old: Slot | None) -> tuple[AnyStep, ...]:
    pool = release.pool.name
    watch = (Watch(release.name, new.name, release.version, float(release.app.watch)),) if release.app.watch else ()
    return (
        EditConfig(pool, SwitchTo((str(new.endpoint),)), app=release.name),
        Prove(pool),
        *_hook(release, "after_switch", new, old),
        *watch,
    )


def _finished(release: Release, new: Slot, old: Slot | None) -> tuple[AnyStep, ...]:
    stop = (StopInstance(release.name, old.name),) if old and release.instances.get(old.name) else ()
    return (
        Drain(release.pool.name, float(release.app.drain)),
        *stop,
        *_hook(release, "after_release", new, old),
    )
