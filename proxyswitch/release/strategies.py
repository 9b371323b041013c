"""The ways to release: pure functions from what is wanted and what was seen to the steps that lead there.

Behind the number `commit` of a plan the new version stays; a failure before takes all back. A strategy is a function that
returns steps; the engine does not know strategies.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import msgspec

from proxyswitch.errors import UsageError
from proxyswitch.model import ServerState, Slot
from proxyswitch.release import intents
from proxyswitch.release.intents import Maintain, SetStates, SwitchTo
from proxyswitch.release.pieces import (
    Steps,
    begun,
    cleared,
    drained,
    edited,
    finished,
    healthy,
    hook,
    migrated,
    switched,
    watch,
    watched,
)
from proxyswitch.release.plan import Release, live_slots, old_slot, slot_of, target_slot
from proxyswitch.release.steps import (
    AnyStep,
    ConfirmInstance,
    Drain,
    EditConfig,
    Follow,
    Plan,
    ReloadInstance,
    StartInstance,
    StopInstance,
)
from proxyswitch.settings_release import CANARY, ROLLING, STOP_START
from proxyswitch.settings_runners import MOVES_ITSELF


def of(release: Release) -> Plan:
    """The plan of a release, by the strategy of the app and what its runner can do."""
    if release.app.in_place:
        return in_place(release)
    ways = {CANARY: canary, ROLLING: rolling, STOP_START: stop_start}
    return ways.get(release.app.way, blue_green)(release)


def target(release: Release) -> Slot:
    """The slot that a release is told by: where the new version goes first, or to."""
    if release.app.in_place:
        return target_slot(release)
    if release.app.way == STOP_START:
        return _own_slot(release)
    return _order(release)[0][0] if release.app.way == ROLLING else target_slot(release)


def is_done(release: Release) -> bool:
    """True when that version serves already, and no other does."""
    live = live_slots(release.app, release.pool)
    if release.app.way == ROLLING and not release.app.in_place:
        live = [slot for batch in _order(release) for slot in batch]
    running = [release.instances.get(slot.name) for slot in live]
    return bool(running) and all(there and there.version == release.version for there in running)


def together(plans: Iterable[Plan]) -> Plan:
    """Several releases as one: all new versions are ready before the first switches, and all stay or none does."""
    plans = list(plans)
    parts = [(plan.steps[: _first_move(plan)], plan.steps[_first_move(plan) : plan.commit]) for plan in plans]
    before = tuple(chain(*(ready for ready, _ in parts), *(moves for _, moves in parts)))
    return Plan((*before, *chain(*(plan.steps[plan.commit :] for plan in plans))), len(before))


def explicit(plan: Plan, proxy: str) -> Plan:
    """The plan with the proxy in each step that has one: among those of other apps, none goes without saying."""
    named = (
        msgspec.structs.replace(step, proxy=proxy)
        if getattr(step, "proxy", None) == "" and getattr(step, "pool", "")
        else step
        for step in plan.steps
    )
    return Plan(tuple(named), plan.commit)


def _first_move(plan: Plan) -> int:
    """The number of the first step that touches what serves."""
    for number, step in enumerate(plan.steps[: plan.commit]):
        if isinstance(step, EditConfig | ReloadInstance | Follow) or (isinstance(step, StopInstance) and step.version):
            return number
    return plan.commit


# the strategies


def blue_green(release: Release) -> Plan:
    """Start beside the old version, switch when healthy, and stop the old one when its last request is answered."""
    new, old = target_slot(release), old_slot(release)
    until = (*cleared(release, new), *begun(release, new, old), *switched(release, new, old))
    return Plan((*until, *finished(release, new, old)), len(until))


def canary(release: Release) -> Plan:
    """As blue-green, but the new version gets its share of the traffic step by step, and each step is watched."""
    new, old = target_slot(release), old_slot(release)
    if old is None or not release.pool:
        return blue_green(release)  # nothing serves that it could be compared with
    settings = release.app.canary
    steps = [*cleared(release, new), *begun(release, new, old)]
    moves = {pool: intents.sharing(pool, str(new.endpoint), str(old.endpoint)) for pool in release.pools}
    for number, share in enumerate(settings.shares):
        steps += edited(release, lambda pool, share=share: msgspec.structs.replace(moves[pool], percent=share))  # type: ignore[misc]
        steps += hook(release, "after_switch", new, old) if number == 0 else ()
        look = watch(release, new, float(settings.pause), old, share)
        steps.append(msgspec.structs.replace(look, manual=settings.manual, patience=float(settings.patience)))
    steps += edited(release, lambda pool: moves[pool])
    steps += () if settings.shares else hook(release, "after_switch", new, old)
    steps += watched(release, new, old)
    return Plan((*steps, *finished(release, new, old)), len(steps))


def rolling(release: Release) -> Plan:
    """One slot after the other, or several at a time: out of the pool, drained, replaced, healthy, and in again."""
    live, first = live_slots(release.app, release.pool), target(release)
    _refuse_few(release, live)
    steps: list[AnyStep] = [*hook(release, "prepare", first, None), *migrated(release, first)]
    for batch in _order(release):
        steps += _replaced_batch(release, batch, [slot for slot in batch if slot in live])
    steps += hook(release, "after_switch", first, None)
    return Plan((*steps, *hook(release, "after_release", first, None)), len(steps))


def stop_start(release: Release) -> Plan:
    """Stop the old version and start the new one in its place, behind a maintenance page where the proxy has one."""
    slot = _own_slot(release)
    running = release.instances.get(slot.name)
    stop = (
        (StopInstance(release.name, slot.name, running.version or "unknown", running.artefact, gap=True),) if running else ()
    )
    start = StartInstance(release.name, slot.name, release.version, release.artefact)
    steps = (
        *hook(release, "prepare", slot, slot),
        *migrated(release, slot),
        *_closed(release, True),
        *stop,
        start,
        *healthy(release, slot),
        *hook(release, "before_switch", slot, slot),
        *_led(release, slot),
        *_closed(release, False),
        *hook(release, "after_switch", slot, slot),
        *watched(release, slot, None),
    )
    return Plan((*steps, *hook(release, "after_release", slot, slot)), len(steps))


def in_place(release: Release) -> Plan:
    """The runner replaces the old version; it is kept, or comes back, until the new one has been watched."""
    slot = target_slot(release)
    before = (
        *hook(release, "prepare", slot, slot),
        *migrated(release, slot),
        *hook(release, "before_switch", slot, slot),
    )
    moved = (*before, *_replaced(release, slot), *healthy(release, slot), *_followed(release, slot))
    until = (*moved, *hook(release, "after_switch", slot, slot), *watched(release, slot, None))
    drain = (Drain(release.following, float(release.app.drain)),) if _followed(release, slot) else ()
    done = (*drain, ConfirmInstance(release.name, slot.name), *hook(release, "after_release", slot, slot))
    return Plan((*until, *done), len(until))


# rolling


def _order(release: Release) -> list[list[Slot]]:
    """Those that do not serve come first: with them there are more meanwhile."""
    live, size = live_slots(release.app, release.pool), release.app.rolling.batch
    idle = [slot for slot in release.app.places if slot not in live]
    return [slots[start : start + size] for slots in (idle, live) for start in range(0, len(slots), size)]


def _refuse_few(release: Release, live: list[Slot]) -> None:
    """Raise UsageError where too few would serve meanwhile."""
    size, wanted = release.app.rolling.batch, release.app.rolling.min_ready
    if release.pool and release.pool.instant:
        raise UsageError(
            f"{release.pool_name} is in instant mode, which has two sides: rolling needs a line a slot",
            next_step='write strategy = "blue-green" or "canary"',
        )
    ready = len(release.app.places)  # those that were idle serve by then
    least = max(1, ready - size if wanted is None else wanted)
    if live and ready - min(size, len(live)) < least:
        raise UsageError(
            f"{release.name} has {ready} slots; with {size} out at a time fewer than {least} would serve",
            next_step=f"a smaller --batch, or less min_ready, or more slots under apps.{release.name}.slots",
        )


def _replaced_batch(release: Release, batch: list[Slot], live: list[Slot]) -> list[AnyStep]:
    steps: list[AnyStep] = []
    if live:
        steps += edited(release, lambda _: SetStates(_addresses(live), ServerState.DRAIN))
        steps += drained(release, strict=True)
    for slot in batch:
        running = release.instances.get(slot.name)
        if running and slot not in live:
            steps += [msgspec.structs.replace(drain, earlier=True) for drain in drained(release)]
        if running:
            steps.append(StopInstance(release.name, slot.name, running.version or "unknown", running.artefact))
        steps.append(StartInstance(release.name, slot.name, release.version, release.artefact))
    for slot in batch:
        steps += healthy(release, slot)
    steps += hook(release, "before_switch", batch[0], None)
    steps += edited(release, lambda _: SetStates(_addresses(batch), ServerState.READY))
    for slot in batch:
        steps += watched(release, slot, None)
    return steps


def _addresses(slots: list[Slot]) -> tuple[str, ...]:
    return tuple(str(slot.endpoint) for slot in slots)


# stop-start


def _own_slot(release: Release) -> Slot:
    """The slot that serves, else the named one, else the first."""
    live = live_slots(release.app, release.pool)
    if len(live) > 1 and release.pool:
        return target_slot(release)  # it says what is wrong
    if release.slot:
        return slot_of(release.name, release.app, release.slot)
    return live[0] if live else release.app.places[0]


def _closed(release: Release, closed: bool) -> Steps:
    """Clients get a maintenance page meanwhile, where the proxy has one."""
    return edited(release, lambda _: Maintain(closed)) if release.gate else ()


def _led(release: Release, slot: Slot) -> Steps:
    """The pool leads there, if it did not before."""
    there = release.pool is None or slot in live_slots(release.app, release.pool)
    return () if there else edited(release, lambda _: SwitchTo((str(slot.endpoint),)))


# in place


def _replaced(release: Release, slot: Slot) -> Steps:
    if not release.instances.get(slot.name):
        return (StartInstance(release.name, slot.name, release.version, release.artefact),)
    pool = release.following if release.app.driver in MOVES_ITSELF else ""
    return (ReloadInstance(release.name, slot.name, release.version, release.artefact, pool),)


def _followed(release: Release, slot: Slot) -> Steps:
    """The pool gets the new addresses, unless it got them while the runner replaced the instances."""
    pool = release.following
    done = release.app.driver in MOVES_ITSELF and release.instances.get(slot.name)
    return (Follow(release.name, slot.name, pool),) if pool and not done else ()
