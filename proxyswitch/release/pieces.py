"""What the strategies are made of: steps that several of them have. Pure."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from proxyswitch.model import Endpoint, Instance, Pool, Slot
from proxyswitch.release.intents import SwitchTo
from proxyswitch.release.plan import Release
from proxyswitch.release.steps import (
    AnyIntent,
    AnyStep,
    Drain,
    EditConfig,
    Migrate,
    Prove,
    RunHook,
    StartInstance,
    StopInstance,
    WaitHealthy,
    WarmUp,
    Watch,
)

Steps = tuple[AnyStep, ...]
VERIFY = 30.0  # seconds in which the public address must answer as the new version does


def hook(release: Release, name: str, new: Slot, old: Slot | None) -> Steps:
    if getattr(release.app.hooks, name) is None:
        return ()
    running = release.instances.get(old.name) if old else None
    return (
        RunHook(release.name, name, new.name, release.version, old.name if old else "", running.version if running else ""),
    )


def migrated(release: Release, slot: Slot) -> Steps:
    """With the old version serving; it is not taken back. Not for a version that had been there before."""
    expands = not release.back and release.app.migrate is not None and release.app.migrate.expand is not None
    return (Migrate(release.name, "expand", release.version, slot.name),) if expands else ()


def cleared(release: Release, new: Slot) -> Steps:
    """An instance that an earlier release left in the slot, because it had not drained, is stopped once it has."""
    if not release.instances.get(new.name) or is_there(release, new):
        return ()
    drains = (Drain(pool.name, float(release.app.drain), earlier=True, proxy=other(release, pool)) for pool in release.pools)
    return (*drains, StopInstance(release.name, new.name))


def is_there(release: Release, new: Slot) -> bool:
    """True when a release goes back to an instance that still runs: it need not be started again."""
    there = release.instances.get(new.name)
    return release.back and there is not None and there.ours and same(there, release)


def same(there: Instance, release: Release) -> bool:
    return there.version == release.version and release.artefact in ("", there.artefact)


def begun(release: Release, new: Slot, old: Slot | None) -> Steps:
    start = StartInstance(release.name, new.name, release.version, release.artefact)
    return (
        *hook(release, "prepare", new, old),
        *migrated(release, new),
        *(() if is_there(release, new) else (start,)),
        *healthy(release, new),
        *hook(release, "before_switch", new, old),
    )


def healthy(release: Release, new: Slot) -> Steps:
    total = float(release.app.health.total) if release.app.health else 60.0
    warm = (WarmUp(release.name, new.name, release.version),) if release.app.warmup else ()
    return (WaitHealthy(release.name, new.name, release.version, total=total), *warm)


def edited(release: Release, intent: Callable[[Pool], AnyIntent]) -> Steps:
    """A change of each pool, and its proof."""
    pairs = (
        (
            EditConfig(pool.name, intent(pool), app=release.name, proxy=other(release, pool)),
            Prove(pool.name, other(release, pool)),
        )
        for pool in release.pools
    )
    return tuple(chain.from_iterable(pairs))


def other(release: Release, pool: Pool) -> str:
    """The proxy of a pool, where it is not that of the app's first pool."""
    return pool.proxy if release.pool and pool.proxy != release.pool.proxy else ""


def switched(release: Release, new: Slot, old: Slot | None) -> Steps:
    return (
        *edited(release, lambda _: SwitchTo((str(new.endpoint),))),
        *hook(release, "after_switch", new, old),
        *watched(release, new, old),
    )


def watched(release: Release, new: Slot, old: Slot | None) -> Steps:
    seconds = float(release.app.watch)
    verify = (WaitHealthy(release.name, new.name, release.version, url, VERIFY) for url in release.verify)
    return (*((watch(release, new, seconds, old, 100),) if seconds else ()), *verify)


def watch(release: Release, new: Slot, seconds: float, old: Slot | None, share: int) -> Watch:
    """Requests are counted where the address is known by which the proxy counts; in place both versions have the same."""
    pool = release.pool_name if new.endpoint != Endpoint() else ""
    return Watch(
        release.name, new.name, release.version, seconds, pool, old_slot=old.name if old and pool else "", share=share
    )


def drained(release: Release, *, strict: bool = False) -> tuple[Drain, ...]:
    seconds = float(release.app.drain)
    return tuple(Drain(pool.name, seconds, proxy=other(release, pool), strict=strict) for pool in release.pools)


def finished(release: Release, new: Slot, old: Slot | None) -> Steps:
    stop = (StopInstance(release.name, old.name),) if old and release.instances.get(old.name) else ()
    return (*drained(release), *stop, *hook(release, "after_release", new, old))
