"""Releases of apps: deploy, roll back, and finish or take back what was interrupted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from proxyswitch.errors import Failed, NeedsPerson, NotDrained, ProxyswitchError, UsageError
from proxyswitch.release import history, hooks, intents, places, plan, steps, transaction, undoing
from proxyswitch.release.engine import Engine, plan_of
from proxyswitch.release.history import Entry
from proxyswitch.release.journal import Journal
from proxyswitch.release.plan import Release
from proxyswitch.release.pools import past
from proxyswitch.release.steps import Plan
from proxyswitch.release.transaction import Tag
from proxyswitch.release.world import World
from proxyswitch.system import clock, state


@dataclass(frozen=True, slots=True)
class Request:
    """A release as it was asked for. `again` releases a version anew that is live already, `closed` although the pool is
    closed for maintenance."""

    app: str
    version: str
    slot: str = ""
    again: bool = False
    undoes: str = ""
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was seen, and what is to be done."""

    release: Release
    plan: Plan
    entry: Entry

    @property
    def unchanged(self) -> bool:
        return not self.plan.steps


def prepare(world: World, request: Request) -> Prepared:
    """Look at everything and plan; nothing is changed. Raises what would stop the release for certain."""
    app = world.app(request.app)
    proxy = world.proxy(app.proxy)
    pool = proxy.serving(proxy.pool(app.pool))
    release = Release(request.app, app, pool, world.instances(request.app), request.version, request.slot)
    old = plan.old_slot(release)
    running = release.instances.get(old.name) if old else None
    entry = history.entry(
        history.ROLLBACK if request.undoes else history.RELEASE,
        id=history.new_id(),
        app=request.app,
        version=request.version,
        pool=pool.name,
        proxy=app.proxy,
        conf=proxy.conf,
        old_slot=old.name if old else "",
        old_version=running.version if running else "",
        undoes=request.undoes,
    )
    if running and running.version == request.version and not request.again:
        return Prepared(release, Plan((), 0), msgspec.structs.replace(entry, slot=old.name if old else ""))
    new = plan.target_slot(release)
    return Prepared(release, plan.blue_green(release), msgspec.structs.replace(entry, slot=new.name))


def check(world: World, prepared: Prepared) -> None:
    """Raise, before anything is done, for what is sure to fail later: the slot is taken, files may not be written."""
    release = prepared.release
    slot = plan.target_slot(release)
    if not release.instances.get(slot.name):
        world.driver(release.name).check(slot)
    proxy = world.proxy(release.app.proxy)
    candidate = transaction.preview(proxy, release.pool.name, intents.SwitchTo((str(slot.endpoint),)))
    proxy.allowed(candidate)


def deploy(world: World, request: Request) -> Entry:
    """Release a version. Returns the entry of the history; raises what stopped it, after taking back what was begun."""
    with world.lock_app(request.app):
        recover(world, request.app)
        prepared = prepare(world, request)
        if prepared.unchanged:
            return msgspec.structs.replace(prepared.entry, result="unchanged")
        if not request.closed:
            _refuse_closed(world, prepared.release)
        check(world, prepared)
        return _run(world, prepared)


def _refuse_closed(world: World, release: Release) -> None:
    """Nobody would see whether the new version serves."""
    told = world.proxy(release.app.proxy).closed(release.pool.name)
    if told:
        raise UsageError(
            f"{release.pool.name} is {told}",
            next_step=f"open it first: proxyswitch maintenance {release.pool.name} off; or release with --in-maintenance",
        )


def journal_of(app: str) -> Journal:
    return Journal(state.sub("journal") / f"app-{app}.jsonl")


def _run(world: World, prepared: Prepared) -> Entry:
    entry, name = prepared.entry, prepared.release.name
    journal = journal_of(name)
    journal.begin(id=entry.id, plan=msgspec.to_builtins(prepared.plan), entry=msgspec.to_builtins(entry))
    engine = Engine(world, proxy=prepared.release.app.proxy, tag=Tag(app=name, release=entry.id), journal=journal)
    begun = clock.now()
    try:
        engine.run(prepared.plan)
    except BaseException as error:
        _failed(world, prepared, engine, error)
        raise
    try:
        seconds, mode = round(clock.now() - begun, 3), engine.outcome.mode
        return _record(journal, msgspec.structs.replace(entry, seconds=seconds, mode=mode))
    except ProxyswitchError as error:
        raise NeedsPerson(
            f"{name} {entry.version} is released, but that cannot be written down: {error.what}",
            state=f"{name} {entry.version} serves from slot {entry.slot}",
            next_step="mend the cause, then run: proxyswitch recover",
        ) from error


def _record(journal: Journal, entry: Entry) -> Entry:
    past().add_once(entry)
    journal.end()
    return entry


def _failed(world: World, prepared: Prepared, engine: Engine, error: BaseException) -> None:
    """Write down how it ended. What could not be taken back keeps its journal, for `recover`."""
    entry = msgspec.structs.replace(prepared.entry, seconds=engine.outcome.seconds)
    reason = error.what if isinstance(error, ProxyswitchError) else repr(error)
    if isinstance(error, ProxyswitchError):
        error.facts = {"changed": engine.committed}
    if engine.committed:
        _record(engine.journal or journal_of(entry.app), msgspec.structs.replace(entry, reason=reason))
        return
    if isinstance(error, ProxyswitchError) and not isinstance(error, NeedsPerson):
        error.state = _as_before(prepared)
    past().add(msgspec.structs.replace(entry, result="failed", reason=reason))
    if not isinstance(error, NeedsPerson):
        (engine.journal or journal_of(entry.app)).end()
    _on_failure(world, prepared, reason)


def _as_before(prepared: Prepared) -> str:
    entry = prepared.entry
    if not entry.old_slot:
        return f"everything is as before; {entry.app} {entry.version} does not run"
    return (
        f"everything is as before: {entry.app} {entry.old_version or '(version unknown)'} serves from slot {entry.old_slot}"
    )


def _on_failure(world: World, prepared: Prepared, reason: str) -> None:
    entry = prepared.entry
    step = steps.RunHook(entry.app, "on_failure", entry.slot, entry.version, entry.old_slot, entry.old_version)
    try:
        hooks.run_hook(world, step, reason)
    except ProxyswitchError as error:
        world.report(f"warning: {error.what}")


def rollback(world: World, app: str, *, slot: str = "") -> Entry:
    """Go back to the release before the last one. Raises UsageError when none is known."""
    return deploy(world, going_back(app, slot))


def going_back(app: str, slot: str = "") -> Request:
    """The release that takes the last one back; of the same version, where that had been released anew."""
    last = last_release(app)
    return Request(app, last.old_version, slot, last.old_version == last.version, undoes=last.id, closed=True)


def last_release(app: str) -> Entry:
    """The newest release of an app that was not taken back. Raises UsageError when there is nothing to go back to."""
    entry = past().last(lambda e: e.kind == history.RELEASE and e.app == app)
    if entry is None:
        raise UsageError(f"nothing to take back: no release of {app} is in the history")
    if not entry.old_version:
        raise UsageError(
            f"{app} {entry.version} is the first release that is known: there is none to go back to",
            next_step="deploy the version that you want: proxyswitch deploy " + app + " --version V",
        )
    return entry


def recover(world: World, app: str) -> str:
    """Finish or take back an interrupted release; the app's lock is held. Returns in words what was done, or nothing."""
    places.clear([str(state.folder() / "apps" / app)])
    journal = journal_of(app)
    interrupted = plan_of(journal)
    if interrupted is None:
        journal.end()
        return ""
    entry = msgspec.convert(journal.records()[0]["entry"], Entry)
    engine = Engine(world, proxy=entry.proxy, tag=Tag(app=app, release=entry.id), journal=journal)
    finish_proxy(world, entry.proxy)
    done = _resumed(world, engine, interrupted)
    result = "done" if done == "finished" else "failed"
    _record(journal, msgspec.structs.replace(entry, result=result, reason="interrupted"))
    told = f"{done} an interrupted release of {app} {entry.version}"
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
