"""How many releases can be gone back to, and the end of what is kept for older ones."""

from __future__ import annotations

from proxyswitch.drivers.base import Driver, Maker
from proxyswitch.errors import ProxyswitchError
from proxyswitch.release import history, hooks, steps
from proxyswitch.release.history import Entry
from proxyswitch.release.pools import past
from proxyswitch.release.world import World


def old(world: World, app: str) -> list[Entry]:
    """Releases that are older than the last `keep` versions, and not cleaned up yet; the oldest first."""
    entries = [e for e in past().entries() if e.app == app and e.result == "done"]
    gone = {e.version for e in entries if e.kind == history.FORGET}
    newest = dict.fromkeys(e.version for e in reversed(past().standing(app)))
    kept = list(newest)[: world.app(app).keep]
    releases = {e.version: e for e in entries if e.kind == history.RELEASE and e.version not in {*kept, *gone}}
    return list(releases.values())


def clean(world: World, app: str) -> None:
    """Once for each old version: end what its runner made of it, then run the hook `cleanup`. A failure is a warning, and
    tried again after the next release: this one is done."""
    driver = world.driver(app)
    if world.app(app).hooks.cleanup is None and not isinstance(driver, Maker):
        return
    for entry in old(world, app):
        try:
            _clean(world, driver, entry)
        except ProxyswitchError as error:
            world.report(f"warning: {error.what}")
            return
        past().add(history.entry(history.FORGET, id=history.new_id(), app=app, version=entry.version))


def _clean(world: World, driver: Driver, entry: Entry) -> None:
    told = driver.forget(entry.version, entry.artefact) if isinstance(driver, Maker) else ""
    if told:
        world.detail(told)
    hooks.run_hook(world, steps.RunHook(entry.app, "cleanup", entry.slot, entry.version))
