"""The steps that start, stop and replace instances of an app."""

from __future__ import annotations

from proxyswitch.drivers.base import Moved
from proxyswitch.errors import Failed
from proxyswitch.model import Endpoint
from proxyswitch.release import plan, steps
from proxyswitch.release.world import World
from proxyswitch.system import state


def start(world: World, step: steps.StartInstance) -> None:
    """Start a version. Raises before anything is done when the slot is taken or the program is not there."""
    place = plan.slot_of(step.app, world.app(step.app), step.slot)
    driver = world.driver(step.app)
    driver.check(place)
    state.sub(step.app, state.sub("apps"))
    driver.start(place, step.version, step.artefact)


def reload(world: World, step: steps.ReloadInstance, moved: Moved) -> None:
    """Let the runner replace what runs. Raises Failed when the new version does not come up."""
    place = plan.slot_of(step.app, world.app(step.app), step.slot)
    driver = world.in_place(step.app)
    driver.check_reload(place, step.version)
    state.sub(step.app, state.sub("apps"))
    driver.reload(place, step.version, step.artefact, moved)


def revert(world: World, step: steps.RevertInstance, moved: Moved) -> None:
    """Let the runner go back. Raises NeedsPerson when it cannot."""
    world.in_place(step.app).revert(plan.slot_of(step.app, world.app(step.app), step.slot), moved)


def confirm(world: World, step: steps.ConfirmInstance) -> None:
    """What the runner kept for going back is ended."""
    world.in_place(step.app).confirm(plan.slot_of(step.app, world.app(step.app), step.slot))


def endpoints(world: World, app: str, slot: str) -> tuple[Endpoint, ...]:
    """Where the app listens now, as its runner says. Raises Failed when it says nothing."""
    place = plan.slot_of(app, world.app(app), slot)
    there = world.driver(app).status(place)
    if there and there.endpoints:
        return there.endpoints
    raise Failed(f"{app}:{slot}: where it listens cannot be found out", next_step=f"proxyswitch status {app}")


def stop(world: World, app: str, slot: str) -> bool:
    """Stop what runs in a slot; True when something was stopped. Raises NeedsPerson when something foreign stays."""
    place = plan.slot_of(app, world.app(app), slot)
    return world.driver(app).stop(place)


def runs(world: World, app: str, slot: str) -> bool:
    """True while an instance of ours runs in that slot."""
    return world.driver(app).status(plan.slot_of(app, world.app(app), slot)) is not None
