"""What plans start from: the release that is wanted and what was seen; and the plan for a change of one pool. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from proxyswitch.errors import UsageError
from proxyswitch.model import Endpoint, Instance, Pool, Slot
from proxyswitch.release.steps import AnyIntent, AnyStep, Drain, EditConfig, Plan, Prove, WaitHealthy
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
    """What a deploy starts from: the app, its pools as they are (if it has any), and what runs in its slots.

    `pool` is the first, which says what is live; `others` go with it. `artefact` is what exactly is to run, where the
    version's name may mean something else by now. `gate`: the pools can be closed for maintenance, and are open. `back`: it
    takes a release back, to a version that had been there before. `verify` are public addresses that must answer in the end.
    """

    name: str
    app: App
    pool: Pool | None
    instances: Mapping[str, Instance | None]
    version: str
    slot: str = ""
    artefact: str = ""
    others: tuple[Pool, ...] = ()
    gate: bool = False
    back: bool = False
    verify: tuple[str, ...] = ()

    @property
    def pools(self) -> tuple[Pool, ...]:
        """All pools that send traffic to it."""
        return (self.pool, *self.others) if self.pool else ()

    @property
    def proxy_name(self) -> str:
        """The proxy of its first pool."""
        return self.pool.proxy if self.pool else self.app.proxy

    @property
    def pool_name(self) -> str:
        return self.pool.name if self.pool else ""

    @property
    def following(self) -> str:
        """The pool that must be told the addresses of the app, because its runner gives them out."""
        return self.pool_name if any(place.endpoint == Endpoint() for place in self.app.places) else ""


def live_slots(app: App, pool: Pool | None) -> list[Slot]:
    """The slots that the pool sends traffic to; the one slot of an app that is replaced in place always gets it."""
    if app.in_place or pool is None:
        return list(app.places)
    live = [server.endpoint for server in pool.live]
    return [slot for slot in app.places if slot.endpoint in live]


def target_slot(release: Release) -> Slot:
    """Where the new version goes: the named slot, else the first that is not live, behind the live one."""
    if release.app.in_place:
        return slot_of(release.name, release.app, release.slot or release.app.places[0].name)
    live = [slot.name for slot in live_slots(release.app, release.pool)]
    places = list(release.app.places)
    if len(live) > 1:
        raise UsageError(
            f"the pool {release.pool_name} sends traffic to {len(live)} slots of {release.name} ({', '.join(live)}):"
            f" {release.app.way} replaces one",
            next_step=f'take one out first: proxyswitch switch {release.pool_name} ADDRESS; or write strategy = "rolling"',
        )
    if release.slot:
        return _named_slot(release, live)
    after = next((i + 1 for i, slot in enumerate(places) if slot.name in live), 0)
    idle = [slot for slot in places[after:] + places[:after] if slot.name not in live]
    if not idle:
        raise UsageError(
            f"{release.name} has no idle slot: {release.app.way} needs a second one under apps.{release.name}.slots",
            next_step='add one; or write strategy = "stop-start", which has a gap',
        )
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
    """Where the version before serves. Of an app that is replaced in place nothing does while it does not run."""
    live = next(iter(live_slots(release.app, release.pool)), None)
    stopped = release.app.in_place and live and not release.instances.get(live.name)
    return None if stopped else live
