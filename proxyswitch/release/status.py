"""What runs where: the slots of an app as they are now."""

from __future__ import annotations

from typing import Any

from proxyswitch import health
from proxyswitch.errors import ProxyswitchError
from proxyswitch.model import Instance, Slot
from proxyswitch.release import plan
from proxyswitch.release.deploy import journal_of
from proxyswitch.release.instances import check_of
from proxyswitch.release.world import World


def look(world: World, name: str) -> dict[str, Any]:
    """An app with its slots, as data."""
    app = world.app(name)
    live, problem = _live(world, name)
    instances = world.instances(name)
    return {
        "app": name,
        "pool": app.pool,
        "driver": app.driver,
        "problem": problem,
        "interrupted": bool(journal_of(name).records()),
        "slots": [_slot(world, name, slot, instances[slot.name], live=slot.name in live) for slot in app.places],
    }


def _live(world: World, name: str) -> tuple[set[str], str]:
    """The names of the live slots; why they cannot be known, if so."""
    app = world.app(name)
    try:
        return {s.name for s in plan.live_slots(app, world.proxy(app.proxy).pool(app.pool))}, ""
    except ProxyswitchError as error:
        world.report(f"{name}: {error.what}")
        return set(), error.what


def _slot(world: World, name: str, slot: Slot, instance: Instance | None, *, live: bool) -> dict[str, Any]:
    version = instance.version if instance else ""
    answer = health.probe(check_of(world, name, slot, version)) if instance or live else None
    return {
        "slot": slot.name,
        "address": str(slot.endpoint),
        "live": live,
        "running": instance is not None,
        "version": version,
        "pid": instance.process.pid if instance else None,
        "since": instance.since if instance else None,
        "ours": instance.ours if instance else None,
        "log": instance.log if instance else "",
        "healthy": answer.healthy if answer else None,
        "reason": answer.reason if answer else "",
    }
