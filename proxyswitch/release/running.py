"""A release under way: its journal, its end in the history, and what becomes of one whose run was killed.

Several apps that are released together have one plan, in the journal of the first; those of the others only name it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from proxyswitch.errors import Failed, NeedsPerson, NotDrained, ProxyswitchError
from proxyswitch.release import (
    announcing,
    decisions,
    history,
    hooks,
    keeping,
    places,
    remembered,
    steps,
    strategies,
    timings,
    undoing,
)
from proxyswitch.release.engine import Engine, plan_of
from proxyswitch.release.history import Entry
from proxyswitch.release.journal import Journal
from proxyswitch.release.plan import Release
from proxyswitch.release.pools import past
from proxyswitch.release.steps import Plan
from proxyswitch.release.transaction import Tag
from proxyswitch.release.world import World
from proxyswitch.system import clock, proc, state


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was seen, and what is to be done."""

    release: Release
    plan: Plan
    entry: Entry

    @property
    def unchanged(self) -> bool:
        return not self.plan.steps


def journal_of(app: str) -> Journal:
    return Journal(state.sub("journal") / f"app-{app}.jsonl")


def run(world: World, prepared: list[Prepared]) -> list[Entry]:
    """Do it, for one app or for several as one. Returns their entries in the history; raises what stopped it."""
    if not prepared:
        return []
    with announcing.announced(world):
        return _Run(world, prepared).run()


class _Run:
    def __init__(self, world: World, prepared: list[Prepared]) -> None:
        self.world, self.prepared = world, prepared
        self.entries = [one.entry for one in prepared]
        self.names = [one.release.name for one in prepared]
        self.journal = journal_of(self.names[0])
        self.plan = prepared[0].plan
        if len(prepared) > 1:
            self.plan = strategies.together(strategies.explicit(one.plan, one.release.proxy_name) for one in prepared)
        first = prepared[0].release
        tag = Tag(app=first.name, release=self.entries[0].id)
        self.engine = Engine(world, proxy=first.proxy_name, tag=tag, journal=self.journal)

    def run(self) -> list[Entry]:
        self._begin()
        begun = clock.now()
        try:
            self.engine.run(self.plan)
        except BaseException as error:
            self._failed(error)
            raise
        try:
            return self._done(round(clock.now() - begun, 3))
        except ProxyswitchError as error:
            entry = self.entries[0]
            raise NeedsPerson(
                f"{entry.app} {entry.version} is released, but that cannot be written down: {error.what}",
                state=f"{entry.app} {entry.version} serves from slot {entry.slot}",
                next_step="mend the cause, then run: proxyswitch recover",
            ) from error

    def _begin(self) -> None:
        first, *others = self.names
        begun = {
            "id": self.entries[0].id,
            "process": proc.identify(os.getpid()),
            "entry": msgspec.to_builtins(self.entries[0]),
        }
        for name in others:
            journal_of(name).begin(**begun, group=first)
        planned = msgspec.to_builtins(self.plan)
        self.journal.begin(**begun, plan=planned, others=msgspec.to_builtins(self.entries[1:]))
        for entry in self.entries:
            decisions.forget(entry.app)
            self.world.event("started", _told(entry))

    def _done(self, seconds: float) -> list[Entry]:
        outcome = self.engine.outcome
        facts = {**self._went(), "seconds": seconds, "mode": outcome.mode or "in-place"}
        artefacts = [_artefact(self.world, one) for one in self.prepared]
        done = [
            msgspec.structs.replace(entry, artefact=artefact, **facts)
            for entry, artefact in zip(self.entries, artefacts, strict=True)
        ]
        for one, entry in zip(self.prepared, done, strict=True):
            remembered.save(one.release.app, entry)
        _record(done)
        for entry in done:
            self.world.event("rolled_back" if entry.kind == history.ROLLBACK else "done", _told(entry))
            keeping.clean(self.world, entry.app)
        return done

    def _went(self) -> dict[str, Any]:
        """How it went, for the history."""
        outcome, took = self.engine.outcome, tuple(self.engine.timings.steps)
        return {"seconds": outcome.seconds, "gap": outcome.gap, "drain": outcome.drain, "steps": took}

    def _failed(self, error: BaseException) -> None:
        """Write down how it ended. What could not be taken back keeps its journal, for `recover`."""
        reason = error.what if isinstance(error, ProxyswitchError) else repr(error)
        entries = [msgspec.structs.replace(entry, **self._went(), reason=reason) for entry in self.entries]
        if isinstance(error, ProxyswitchError):
            error.facts = {"changed": self.engine.committed}
        if self.engine.committed:
            _record(entries)
            self._tell("drain_overdue" if isinstance(error, NotDrained) else "failed", entries)
            return
        if isinstance(error, ProxyswitchError) and not isinstance(error, NeedsPerson):
            error.state = _as_before(entries)
        failed = [msgspec.structs.replace(entry, result="failed") for entry in entries]
        if isinstance(error, NeedsPerson):
            for entry in failed:
                past().add(entry)
        else:
            _record(failed)
        taken_back = self.engine.traffic.reverted and not isinstance(error, NeedsPerson)
        self._tell("rolled_back" if taken_back else "failed", entries)
        for entry in entries:
            _on_failure(self.world, entry)

    def _tell(self, kind: str, entries: list[Entry]) -> None:
        for entry in entries:
            self.world.event(kind, _told(entry))


def _told(entry: Entry) -> dict[str, object]:
    """What is told of a release that is under way or has ended."""
    keys = ("id", "app", "version", "slot", "old_version", "old_slot", "pool", "seconds", "reason")
    return {key: getattr(entry, key) for key in keys}


def _artefact(world: World, prepared: Prepared) -> str:
    """What exactly runs now, for who goes back to it one day."""
    there = world.driver(prepared.release.name).status(strategies.target(prepared.release))
    return there.artefact if there else ""


def _record(entries: Iterable[Entry]) -> None:
    """Write them down; then nothing is under way any more. The journal with the plan is the last to go."""
    entries = list(entries)
    for entry in entries:
        past().add_once(entry)
    for entry in reversed(entries):
        journal_of(entry.app).end()


def _as_before(entries: list[Entry]) -> str:
    serving = [
        f"{e.app} {e.old_version or '(version unknown)'} serves from slot {e.old_slot}" for e in entries if e.old_slot
    ]
    idle = [f"{e.app} {e.version} does not run" for e in entries if not e.old_slot]
    mark = ":" if serving else ";"
    return f"everything is as before{mark} {', '.join([*serving, *idle])}"


def _on_failure(world: World, entry: Entry) -> None:
    step = steps.RunHook(entry.app, "on_failure", entry.slot, entry.version, entry.old_slot, entry.old_version)
    try:
        hooks.run_hook(world, step, entry.reason)
    except ProxyswitchError as error:
        world.report(f"warning: {error.what}")


# after a kill


def recover(world: World, app: str, held: frozenset[str] = frozenset()) -> str:
    """Finish or take back an interrupted release; the app's lock is held. Returns in words what was done, or nothing.

    One of several apps is finished or taken back with all of them, under the lock of the first, unless that is `held` too.
    Raises Busy while the first is worked on.
    """
    places.clear(str(state.folder() / "apps" / folder) for folder in (app, f"{app}/releases"))
    journal = journal_of(app)
    records = journal.records()
    first = records[0].get("group", "") if records else ""
    if first:
        return _recover_group(world, app, first, held)
    interrupted = plan_of(journal)
    if interrupted is None:
        journal.end()
        return ""
    return _recover(world, journal, interrupted)


def _recover_group(world: World, app: str, first: str, held: frozenset[str]) -> str:
    with contextlib.nullcontext() if first in held else world.lock_app(first):
        told = recover(world, first)
    journal_of(app).end()  # a run was killed before the plan was written, or when it was done
    return told


def _recover(world: World, journal: Journal, interrupted: Plan) -> str:
    begun = journal.records()[0]
    entry, others = msgspec.convert(begun["entry"], Entry), msgspec.convert(begun.get("others", []), list[Entry])
    engine = Engine(world, proxy=entry.proxy, tag=Tag(app=entry.app, release=begun["id"]), journal=journal)
    apps = [entry.app, *(other.app for other in others)]
    for proxy in dict.fromkeys(proxy for name in apps for proxy, _ in world.app(name).targets):
        finish_proxy(world, proxy)
    went = timings.read(journal.records(), interrupted.describe())
    seconds = max((step.at + step.seconds for step in went), default=0.0)
    done = _resumed(world, engine, interrupted)
    result = "done" if done == "finished" else "failed"
    facts = {"result": result, "reason": "interrupted", "seconds": round(seconds, 3), "steps": tuple(went)}
    _record(msgspec.structs.replace(one, **facts) for one in (entry, *others))
    told = f"{done} an interrupted release of {', '.join(f'{one.app} {one.version}' for one in (entry, *others))}"
    world.report(told)
    return told


def _resumed(world: World, engine: Engine, interrupted: Plan) -> str:
    try:
        return engine.resume(interrupted)
    except NotDrained as error:
        world.report(f"warning: {error.what}; the old version is left running")
        return "finished"
    except Failed as error:
        raise NeedsPerson(
            f"an interrupted release could not be finished: {error.what}", next_step=error.next_step
        ) from error


def finish_proxy(world: World, proxy: str) -> bool:
    """Finish or take back an interrupted change of a proxy's config. True when there was one."""
    found = world.proxy(proxy)
    with places.hold(found, world.proxy_timeout):
        return undoing.recover(found, places.places(found), world.report)


def with_lock(world: World, app: str, act: Callable[[], None]) -> None:
    """Do something with an app that nobody else works on, after what was interrupted has been set right."""
    with contextlib.ExitStack() as scope:
        scope.enter_context(world.lock_app(app))
        recover(world, app)
        act()
