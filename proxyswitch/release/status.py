"""What runs where: the slots of an app as they are now, and what is not finished."""

from __future__ import annotations

from typing import Any

from proxyswitch.errors import ProxyswitchError
from proxyswitch.model import Endpoint, Instance, Pool, Slot
from proxyswitch.release import checks, confirming, migrations, plan, under_way
from proxyswitch.release.world import World


def look(world: World, name: str) -> dict[str, Any]:
    """An app with its slots, as data."""
    app = world.app(name)
    pool, problem = _pool(world, name)
    known = not problem
    live = {slot.name for slot in plan.live_slots(app, pool)} if known else set()
    instances, release = world.instances(name), under_way.look(name)
    return {
        "app": name,
        "pool": app.pool,
        "proxy": app.proxy if app.pool else "",
        "driver": app.driver,
        "strategy": "" if app.in_place else app.way,
        "problem": problem,
        "interrupted": release is not None and not release["runs"],
        "release": release,
        "unconfirmed": _unconfirmed(world, name),
        "slots": [
            {
                **_slot(world, name, slot, instances[slot.name], live=slot.name in live),
                "share": None if pool is None or app.in_place else _share(pool, slot),
            }
            for slot in app.places
        ],
    }


def _pool(world: World, name: str) -> tuple[Pool | None, str]:
    """The pool as it serves; None where an app has none. Why it cannot be known, if so."""
    app = world.app(name)
    if not app.pool:
        return None, ""
    try:
        proxy = world.proxy(app.proxy)
        return proxy.serving(proxy.pool(app.pool)), ""
    except ProxyswitchError as error:
        world.report(f"{name}: {error.what}")
        return None, error.what


def _share(pool: Pool, slot: Slot) -> float:
    """How much of the traffic a slot gets, in percent, by the weights of what is live."""
    weights = [(server.endpoint, server.weight) for server in pool.live]
    ours = sum(weight for endpoint, weight in weights if endpoint == slot.endpoint)
    return round(100 * ours / (sum(weight for _, weight in weights) or 1), 1)


def _unconfirmed(world: World, name: str) -> dict[str, Any] | None:
    """The versions whose contract migrations have not run yet, and when `confirm --due` runs them (seconds since 1970);
    None where there are none."""
    migrate = world.app(name).migrate
    if migrate is None or migrate.contract is None:
        return None
    found = confirming.waiting(name)
    versions = [e.version for e in found if not migrations.is_done(name, e.version, migrations.CONTRACT)]
    if not versions:
        return None
    after = migrate.confirm_after
    return {"versions": versions, "due": None if after is None else found[-1].at + float(after)}


def _slot(world: World, name: str, slot: Slot, instance: Instance | None, *, live: bool) -> dict[str, Any]:
    version = instance.version if instance else ""
    healthy, reason = checks.probe(world, name, slot, version) if instance or live else (None, "")
    return {
        "slot": slot.name,
        "address": _address(slot, instance),
        "live": live,
        "running": instance is not None,
        "version": version,
        "pid": instance.pid if instance else None,
        "since": instance.since if instance else None,
        "ours": instance.ours if instance else None,
        "log": instance.log if instance else "",
        "artefact": instance.artefact if instance else "",
        "healthy": healthy,
        "reason": reason,
    }


def _address(slot: Slot, instance: Instance | None) -> str:
    """Where the slot is; where the runner says that the app listens, when it gives out the addresses."""
    found = instance.endpoints if instance else ()
    return ", ".join(map(str, found)) if slot.endpoint == Endpoint() and found else str(slot.endpoint)
