"""The steps that concern instances of an app: start, stop, wait until healthy, watch."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from proxyswitch import health
from proxyswitch.drivers.base import Driver
from proxyswitch.model import Slot
from proxyswitch.release import plan, steps
from proxyswitch.release.world import World
from proxyswitch.settings import Health
from proxyswitch.system import state

LAST_LINES = 5


def start(world: World, app: str, slot: str, version: str) -> None:
    """Start a version. Raises before anything is done when the slot is taken or the program is not there."""
    place = plan.slot_of(app, world.app(app), slot)
    driver = world.driver(app)
    driver.check(place)
    state.sub(app, state.sub("apps"))
    driver.start(place, version)


def stop(world: World, app: str, slot: str) -> bool:
    """Stop what runs in a slot; True when something was stopped. Raises NeedsPerson when something foreign stays."""
    place = plan.slot_of(app, world.app(app), slot)
    return world.driver(app).stop(place)


def runs(world: World, app: str, slot: str) -> bool:
    """True while an instance of ours runs in that slot."""
    return world.driver(app).status(plan.slot_of(app, world.app(app), slot)) is not None


def check_of(world: World, app: str, slot: Slot, version: str) -> health.Check:
    """The app's health check for that slot; without one in the settings, that a connection is accepted."""
    settings = world.app(app).health
    if settings is None:
        return health.parse_target(str(slot.endpoint))
    return health.check_for(settings if version else _of_any_version(settings), slot, version)


def _of_any_version(check: Health) -> Health:
    """Of an instance whose version is not known, no version can be asked for."""
    fields = {key: value for key, value in check.json.items() if "{version}" not in repr(value)}
    return msgspec.structs.replace(check, json=fields, body="" if "{version}" in check.body else check.body)


def alive(driver: Driver, slot: Slot) -> Callable[[], str | None]:
    """Tells why the instance in a slot is gone; None while it runs."""

    def look() -> str | None:
        return None if driver.status(slot) else driver.obituary(slot)

    return look


def wait_healthy(world: World, step: steps.WaitHealthy) -> None:
    """Wait for an instance, or for a URL."""
    if step.url:
        check = health.parse_target(step.url)
        health.wait(check, total=step.total, interval=0.2, successes=2, report=world.report)
        return
    place = plan.slot_of(step.app, world.app(step.app), step.slot)
    settings = world.app(step.app).health
    driver = world.driver(step.app)
    try:
        health.wait(
            check_of(world, step.app, place, step.version),
            total=step.total,
            interval=float(settings.interval) if settings else 0.5,
            successes=settings.successes if settings else 2,
            alive=alive(driver, place),
            report=world.report,
        )
    except health.NeverHealthy as error:
        said = "".join(f"\n  | {line}" for line in driver.logs(place, LAST_LINES))
        raise health.NeverHealthy(
            f"{error.what}{f'; the last lines of its log:{said}' if said else ''}",
            next_step=f"read its log: proxyswitch logs {step.app}:{step.slot}",
        ) from error


def watch(world: World, step: steps.Watch) -> None:
    """Watch a new version while the old one still runs."""
    place = plan.slot_of(step.app, world.app(step.app), step.slot)
    settings = world.app(step.app).health
    health.hold(
        check_of(world, step.app, place, step.version),
        step.seconds,
        float(settings.interval) if settings else 0.5,
        alive(world.driver(step.app), place),
        world.report,
    )
