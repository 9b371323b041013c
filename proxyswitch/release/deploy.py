"""Releases of apps: deploy, roll back, and finish or take back what was interrupted."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import msgspec

from proxyswitch.errors import UsageError
from proxyswitch.proxies.base import Proxy
from proxyswitch.release import history, plan, remembered, room, running, steps, strategies, transaction
from proxyswitch.release.history import Entry
from proxyswitch.release.plan import Release
from proxyswitch.release.pools import past
from proxyswitch.release.running import Prepared
from proxyswitch.release.steps import Plan
from proxyswitch.release.world import World
from proxyswitch.settings_app import App, problems
from proxyswitch.settings_release import STOP_START


@dataclass(frozen=True, slots=True)
class Request:
    """A release as it was asked for. `again` releases a version anew that is live already, `closed` although the pool is
    closed for maintenance, `skip_preflight` without a look whether there is room. `strategy` and `batch` go before the
    settings. `verify`: public addresses that must answer as the app does, or all is taken back. `release` is the id of the
    one that is gone back to, where it is known."""

    app: str
    version: str
    slot: str = ""
    again: bool = False
    undoes: str = ""
    artefact: str = ""
    closed: bool = False
    strategy: str = ""
    batch: int = 0
    verify: tuple[str, ...] = ()
    release: str = ""
    skip_preflight: bool = False


def prepare(world: World, request: Request) -> Prepared:
    """Look at everything and plan; nothing is changed. Raises what would stop the release for certain."""
    release = _seen(world, request)
    old = plan.old_slot(release)
    there = release.instances.get(old.name) if old else None
    entry = history.entry(
        history.ROLLBACK if request.undoes else history.RELEASE,
        id=history.new_id(),
        app=request.app,
        version=request.version,
        pool=release.pool_name,
        proxy=release.proxy_name,
        conf=world.proxy(release.proxy_name).conf if release.pool else "",
        artefact=request.artefact,
        old_slot=old.name if old else "",
        old_version=there.version if there else "",
        old_artefact=there.artefact if there else "",
        undoes=request.undoes,
    )
    if strategies.is_done(release) and not request.again:
        return Prepared(release, Plan((), 0), msgspec.structs.replace(entry, slot=old.name if old else ""))
    new = strategies.target(release)
    return Prepared(release, strategies.of(release), msgspec.structs.replace(entry, slot=new.name))


def _seen(world: World, request: Request) -> Release:
    """What is there, and what is wanted."""
    app = _as_asked(world.app(request.app), request)
    world.take_app(request.app, app)
    pools = tuple(world.proxy(proxy).serving(world.proxy(proxy).pool(pool)) for proxy, pool in app.targets)
    return Release(
        request.app,
        app,
        pools[0] if pools else None,
        world.instances(request.app),
        request.version,
        request.slot,
        request.artefact,
        others=pools[1:],
        gate=app.way == STOP_START and bool(pools) and all(_closes(world, *target) for target in app.targets),
        back=bool(request.undoes),
        verify=request.verify,
    )


def _as_asked(app: App, request: Request) -> App:
    """The app with what the command line says instead of the settings, and as a release had it that is gone back to.

    Raises UsageError.
    """
    if request.release:
        app = remembered.as_then(app, request.app, request.release)
    changes: dict[str, Any] = {"strategy": request.strategy} if request.strategy else {}
    if request.batch:
        changes["rolling"] = msgspec.structs.replace(app.rolling, batch=request.batch)
    asked = msgspec.structs.replace(app, **changes)
    for problem in problems(asked) if changes else ():
        raise UsageError(f"{request.app}: {problem}")
    return asked


def _closes(world: World, proxy: str, pool: str) -> bool:
    """True where that pool can be closed for maintenance, and is not closed already."""
    found = world.proxy(proxy)
    return found.gates(pool) and not found.closed(pool)


def check(world: World, prepared: Prepared) -> None:
    """Raise, before anything is done, for what is sure to fail later: the slot is taken, files may not be written."""
    release = prepared.release
    edited: set[tuple[str, str]] = set()
    for step in prepared.plan.steps:
        match step:
            case steps.StartInstance() if not release.instances.get(step.slot):
                world.driver(release.name).check(plan.slot_of(release.name, release.app, step.slot))
            case steps.ReloadInstance():
                slot = plan.slot_of(release.name, release.app, step.slot)
                world.in_place(release.name).check_reload(slot, release.version)
            case steps.EditConfig() if (step.proxy, step.pool) not in edited:
                edited.add((step.proxy, step.pool))
                _check_edit(world.proxy(step.proxy or release.proxy_name), step)


def _check_edit(proxy: Proxy, step: steps.EditConfig) -> None:
    proxy.allowed(transaction.preview(proxy, step.pool, step.intent))


def deploy(world: World, request: Request) -> Entry:
    """Release a version. Returns the entry of the history; raises what stopped it, after taking back what was begun."""
    return together(world, [request])[0]


def together(world: World, requests: list[Request]) -> list[Entry]:
    """Release several apps as one: all of them, or none. Those that are live already are left alone."""
    with contextlib.ExitStack() as locks:
        for request in sorted(requests, key=lambda r: r.app):  # in one order, so that no two wait for each other
            locks.enter_context(world.lock_app(request.app))
        names = frozenset(request.app for request in requests)
        for name in names:
            running.recover(world, name, names)
        prepared = [prepare(world, request) for request in requests]
        for request, one in zip(requests, prepared, strict=True):
            if not request.closed and not one.unchanged:
                _refuse_closed(world, one.release)
        for one in prepared:
            check(world, one)
        for request, one in zip(requests, prepared, strict=True):
            if not request.skip_preflight and not one.unchanged:
                room.refuse_full(world, one.release, one.plan)
        done = iter(running.run(world, [one for one in prepared if not one.unchanged]))
        return [msgspec.structs.replace(one.entry, result="unchanged") if one.unchanged else next(done) for one in prepared]


def _refuse_closed(world: World, release: Release) -> None:
    """Nobody would see whether the new version serves."""
    for proxy, pool in release.app.targets:
        told = world.proxy(proxy).closed(pool)
        if told:
            raise UsageError(
                f"{pool} is {told}",
                next_step=f"open it first: proxyswitch maintenance {pool} off; or release with --in-maintenance",
            )


def rollback(world: World, app: str, *, slot: str = "", to: str = "") -> Entry:
    """Go back to the release before the last one, or to a version. Raises UsageError when none is known."""
    return deploy(world, going_back(app, slot, to))


def going_back(app: str, slot: str = "", to: str = "") -> Request:
    """The release that takes the last one back, or all since a version; of the same version, where that had been released
    anew."""
    if to:
        return _going_back_to(app, slot, to)
    last = last_release(app)
    again = last.old_version == last.version
    before = next((e.id for e in reversed(past().standing(app)[:-1]) if e.version == last.old_version), "")
    return Request(
        app, last.old_version, slot, again, undoes=last.id, artefact=last.old_artefact, closed=True, release=before
    )


def _going_back_to(app: str, slot: str, version: str) -> Request:
    stand = past().standing(app)
    known = next((n for n, entry in reversed(list(enumerate(stand))) if entry.version == version), None)
    if known is None:
        before = next((entry for entry in stand if entry.old_version == version), None)
        if before is None:
            versions = ", ".join(dict.fromkeys(entry.version for entry in stand))
            raise UsageError(
                f"no release of {app} {version} is in the history" + (f"; there is {versions}" if versions else ""),
                next_step=f"release it: proxyswitch deploy {app} --version {version}",
            )
        return Request(
            app, version, slot, undoes=_ids(stand[stand.index(before) :]), artefact=before.old_artefact, closed=True
        )
    later, then = stand[known + 1 :], stand[known]
    undoes = _ids(later or stand[-1:])
    return Request(app, version, slot, undoes=undoes, artefact=then.artefact, closed=True, release=then.id)


def _ids(entries: list[Entry]) -> str:
    return " ".join(entry.id for entry in entries)


def last_release(app: str) -> Entry:
    """The newest release of an app that was not taken back. Raises UsageError when there is nothing to go back to."""
    stand = past().standing(app)
    if not stand:
        raise UsageError(f"nothing to take back: no release of {app} is in the history")
    entry = stand[-1]
    if not entry.old_version:
        raise UsageError(
            f"{app} {entry.version} is the first release that is known: there is none to go back to",
            next_step="deploy the version that you want: proxyswitch deploy " + app + " --version V",
        )
    return entry
