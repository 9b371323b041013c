"""Is an instance of an app well, by its health check and by what its runner says: look, wait for it, watch it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from proxyswitch import durations, health
from proxyswitch.drivers.base import Driver
from proxyswitch.errors import Failed, ProxyswitchError
from proxyswitch.model import Endpoint, Slot
from proxyswitch.model import Health as State
from proxyswitch.polling import silent, until
from proxyswitch.release import plan, steps
from proxyswitch.release.world import World, no_show
from proxyswitch.settings import Health
from proxyswitch.system.clock import Deadline

LAST_LINES = 5


def places_of(world: World, app: str, slot: Slot) -> list[Slot]:
    """The slot with its address; with each of them, where the runner gives them out."""
    if slot.endpoint != Endpoint():
        return [slot]
    there = world.driver(app).status(slot)
    return [Slot(slot.name, endpoint) for endpoint in there.endpoints] if there else []


def checks_of(world: World, app: str, slot: Slot, version: str) -> list[health.Check]:
    """The app's health check, for each of its addresses; without one in the settings, that a connection is accepted.

    None at all where only the runner can say how the app is.
    """
    settings, places = world.app(app).health, places_of(world, app, slot)
    if settings is None:
        there = world.driver(app).status(slot)
        own = there is not None and there.health != State.UNKNOWN
        return [] if own else [health.parse_target(str(place.endpoint)) for place in places]
    wanted = settings if version else _of_any_version(settings)
    fixed = "{" not in settings.url
    return [health.check_for(wanted, place, version) for place in (places or [slot] if fixed else places)]


def _of_any_version(check: Health) -> Health:
    """Of an instance whose version is not known, no version can be asked for."""
    fields = {key: value for key, value in check.json.items() if "{version}" not in repr(value)}
    return msgspec.structs.replace(check, json=fields, body="" if "{version}" in check.body else check.body)


def probe(world: World, app: str, slot: Slot, version: str) -> tuple[bool, str]:
    """One look at an instance: healthy or not, and why."""
    there = world.driver(app).status(slot)
    if there and there.health not in (State.UNKNOWN, State.HEALTHY):
        return False, f"{world.app(app).driver} says: {there.health}"
    checks = checks_of(world, app, slot, version)
    if not checks and there is None:
        return False, "it does not run"
    answers = [health.probe(check) for check in checks]
    bad = next((answer for answer in answers if not answer.healthy), None)
    return bad is None, bad.reason if bad else (answers[0].reason if answers else "")


def alive(driver: Driver, slot: Slot) -> Callable[[], str | None]:
    """Tells why the instance in a slot is gone; None while it runs."""

    def look() -> str | None:
        return None if driver.status(slot) else driver.obituary(slot)

    return look


def wait_healthy(world: World, step: steps.WaitHealthy) -> None:
    """Wait for an instance, or for a URL."""
    if step.url:
        health.wait(_of_url(world, step), total=step.total, interval=0.2, successes=2, report=world.report)
        return
    place = plan.slot_of(step.app, world.app(step.app), step.slot)
    driver, deadline = world.driver(step.app), Deadline.after(step.total)
    try:
        _wait_for_runner(world, driver, place, step)
        checks = checks_of(world, step.app, place, step.version)
        _refuse_unknown(driver, place, step, checks)
        for check in checks:
            _wait(world, step, check, alive(driver, place), deadline.left)
    except health.NeverHealthy as error:
        raise health.NeverHealthy(error.what + _last_lines(driver, place), next_step=_read_log(step)) from error
    except health.Died as error:  # it has told its last lines
        error.next_step = error.next_step or _read_log(step)
        raise


def _last_lines(driver: Driver, place: Slot) -> str:
    """What it wrote last; nothing where that cannot be read: then the error that it belongs to counts."""
    try:
        said = "".join(f"\n  | {line}" for line in driver.logs(place, LAST_LINES))
    except ProxyswitchError:
        return ""
    return f"; the last lines of its log:{said}" if said else ""


def _read_log(step: steps.WaitHealthy | steps.Watch) -> str:
    return f"read its log: proxyswitch logs {step.app}:{step.slot}"


def _of_url(world: World, step: steps.WaitHealthy) -> health.Check:
    """What is asked of a URL; of the public address of an app, the answer that its health check wants."""
    settings = world.app(step.app).health if step.app else None
    if settings is None:
        return health.parse_target(step.url)
    place = plan.slot_of(step.app, world.app(step.app), step.slot)
    return health.check_for(msgspec.structs.replace(settings, url=step.url, host=""), place, step.version)


def _refuse_unknown(driver: Driver, place: Slot, step: steps.WaitHealthy, checks: list[health.Check]) -> None:
    there = driver.status(place)
    if not checks and (there is None or there.health == State.UNKNOWN):
        raise Failed(
            f"nothing tells whether {step.app} {step.version} is healthy: no address of it is known, and no health check",
            next_step=f"give it one: in its image, or as url in [apps.{step.app}.health]",
        )


def _wait(world: World, step: steps.WaitHealthy, check: health.Check, lives: health.Alive, total: float) -> None:
    settings = world.app(step.app).health
    health.wait(
        check,
        total=total,
        interval=float(settings.interval) if settings else 0.5,
        successes=settings.successes if settings else 2,
        alive=lives,
        report=world.report,
    )


def _wait_for_runner(world: World, driver: Driver, place: Slot, step: steps.WaitHealthy) -> None:
    """Until the runner's own check is satisfied, where it has one. Raises NeverHealthy, or Died at once."""

    def look() -> bool | None:
        there = driver.status(place)
        if there is None:
            raise health.Died(f"{step.app} {step.version} died: {driver.obituary(place)}")
        return True if there.health in (State.UNKNOWN, State.HEALTHY) else None

    if until(look, step.total) is None:
        within = f"was not healthy within {durations.show(step.total)}, says {_runner(world, step.app)}"
        raise health.NeverHealthy(f"{step.app} {step.version} {within}: {driver.obituary(place)}")


def _runner(world: World, app: str) -> str:
    return world.app(app).driver


def watch(world: World, step: steps.Watch, seconds: float, also: Callable[[], None]) -> None:
    """Watch a new version for so long, while the old one still runs, or can come back. `also` is called with each look."""
    place = plan.slot_of(step.app, world.app(step.app), step.slot)
    settings, driver = world.app(step.app).health, world.driver(step.app)
    well = _well(driver, place, _runner(world, step.app))
    checks = checks_of(world, step.app, place, step.version)
    if not checks:

        def look() -> str | None:
            also()
            return well()

        told = until(look, seconds)
        if told is not None:
            raise health.Died(f"{step.app} {step.version}: {told}")
        return

    def ask(_: health.Check) -> health.Answer:
        also()
        return _worst(checks)

    interval = float(settings.interval) if settings else 0.5
    voice = world.report if world.show is no_show else silent  # who is shown the figures need not be told as well
    try:
        health.hold(checks[0], seconds, interval, well, voice, look=ask)
    except health.TurnedUnhealthy as error:
        raise health.TurnedUnhealthy(error.what + _last_lines(driver, place), next_step=_read_log(step)) from error


def _worst(checks: list[health.Check]) -> health.Answer:
    """The first bad answer, else the last good one."""
    answers = [health.probe(check) for check in checks]
    return next((answer for answer in answers if not answer.healthy), answers[-1])


def _well(driver: Driver, place: Slot, runner: str) -> Callable[[], str | None]:
    """Tells that an instance is gone, or that its runner's own check finds it unhealthy."""

    def look() -> str | None:
        there = driver.status(place)
        if there is None:
            return driver.obituary(place)
        return f"{runner} says: unhealthy; {driver.obituary(place)}" if there.health == State.UNHEALTHY else None

    return look
