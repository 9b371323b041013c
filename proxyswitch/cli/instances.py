"""Commands for the instances of an app: logs, start, stop, restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from proxyswitch.cli import options, output
from proxyswitch.cli.context import Given, split_slot, world_of
from proxyswitch.errors import UsageError

if TYPE_CHECKING:  # imported when a command runs: they cost time at the start
    from proxyswitch.model import Slot
    from proxyswitch.release.world import World

Target = Annotated[str, typer.Argument(metavar="APP[:SLOT]", help="An app, or one slot of it.")]
Version = Annotated[str, typer.Option(metavar="V", help="The version to start; by default the one that ran last.")]


def _slots(world: World, app: str, slot: str) -> list[Slot]:
    from proxyswitch.release import plan

    places = world.app(app).places
    return [plan.slot_of(app, world.app(app), slot)] if slot else list(places)


def _main_slot(world: World, app: str) -> Slot:
    """The slot that is meant when none is named: the live one, else the first."""
    from proxyswitch.release import plan

    settings = world.app(app)
    pool = None if settings.in_place else world.proxy(settings.proxy).pool(settings.pool)
    live = plan.live_slots(settings, pool)
    return live[0] if live else settings.places[0]


def _last_version(app: str, slot: str) -> str:
    from proxyswitch.release.pools import past

    done = [e for e in past().entries() if e.app == app and e.version and e.result == "done"]
    here = [e.version for e in done if e.slot == slot]
    return (here or [e.version for e in done] or [""])[-1]


def logs(
    target: Target,
    lines: Annotated[int, typer.Option("--lines", "-n", help="So many lines.", min=1)] = 50,
    json: options.Json = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Print the last lines that an instance wrote."""
    world = world_of(Given(config, nginx_conf, haproxy_conf, haproxy_socket))
    app, name = split_slot(target)
    slot = _slots(world, app, name)[0] if name else _main_slot(world, app)
    for line in world.driver(app).logs(slot, lines):
        if json:
            output.as_json({"app": app, "slot": slot.name, "line": line})
        else:
            output.answer(line)


def start(
    target: Target,
    version: Version = "",
    dry_run: options.DryRun = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Start an app in a slot and wait until it is healthy. Traffic is not moved."""
    world = world_of(Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet))
    app, name = split_slot(target)
    started: list[str] = []

    def act() -> None:
        slot = _slots(world, app, name)[0] if name else _main_slot(world, app)
        there = world.driver(app).status(slot)
        if there and version not in ("", there.version):
            raise UsageError(
                f"{app} {there.version or '(version unknown)'} runs in slot {slot.name} already, not {version}",
                next_step=f"proxyswitch restart {app}:{slot.name} --version {version}, or deploy it",
            )
        if there is None:
            started.append(slot.name)
            if not dry_run:
                _start(world, app, slot, version)

    _do(world, app, act, dry_run=dry_run)
    _say(app, "started", started, json=json, quiet=quiet, dry_run=dry_run)


def _start(world: World, app: str, slot: Slot, version: str) -> None:
    from proxyswitch.release import steps
    from proxyswitch.release.engine import Engine

    version = version or _last_version(app, slot.name)
    health = world.app(app).health
    wait = steps.WaitHealthy(app, slot.name, version, total=float(health.total) if health else 60.0)
    Engine(world).run(steps.Plan((steps.StartInstance(app, slot.name, version), wait), 2))


def stop(
    target: Target,
    dry_run: options.DryRun = False,
    lock_timeout: options.LockTimeout = None,
    force: options.Force = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Stop an app: all its slots, or the named one. A live slot only with --force."""
    world = world_of(Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet))
    app, name = split_slot(target)
    stopped: list[str] = []

    def act() -> None:
        for slot in _slots(world, app, name):
            _refuse_live(world, app, slot, force=force)
        for slot in _slots(world, app, name):
            driver = world.driver(app)
            if driver.status(slot) is not None if dry_run else driver.stop(slot):
                stopped.append(slot.name)

    _do(world, app, act, dry_run=dry_run)
    _say(app, "stopped", stopped, json=json, quiet=quiet, dry_run=dry_run)


def _refuse_live(world: World, app: str, slot: Slot, *, force: bool) -> None:
    from proxyswitch.release import plan

    settings = world.app(app)
    if force or not settings.pool or world.driver(app).status(slot) is None:
        return
    proxy = world.proxy(settings.proxy)
    if proxy.running() and slot in plan.live_slots(settings, proxy.pool(settings.pool)):
        raise UsageError(
            f"slot {slot.name} of {app} is live: the pool {settings.pool} sends its traffic there",
            next_step="switch to another slot first, or stop it all the same with --force",
        )


def restart(
    target: Target,
    version: Version = "",
    dry_run: options.DryRun = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Stop and start an app in its slot. This has a gap; `deploy` has none."""
    world = world_of(Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet))
    app, name = split_slot(target)
    done: list[str] = []

    def act() -> None:
        slot = _slots(world, app, name)[0] if name else _main_slot(world, app)
        done.append(slot.name)
        if dry_run:
            return
        running = world.driver(app).status(slot)
        world.driver(app).stop(slot)
        _start(world, app, slot, version or (running.version if running else ""))

    _do(world, app, act, dry_run=dry_run)
    _say(app, "restarted", done, json=json, quiet=quiet, dry_run=dry_run)


def _do(world: World, app: str, act: Callable[[], None], *, dry_run: bool) -> None:
    """Act under the app's lock; a dry run, which touches nothing, takes none."""
    from proxyswitch.release import running

    world.app(app)  # a name that is not there is said before a lock is made for it
    if dry_run:
        act()
    else:
        running.with_lock(world, app, act)


def _say(app: str, what: str, slots: list[str], *, json: bool, quiet: bool, dry_run: bool) -> None:
    if json:
        would = {"would_change": bool(slots)} if dry_run else {}
        output.as_json({"changed": bool(slots) and not dry_run, **would, "app": app, what: slots})
    elif slots and not quiet:
        output.answer(f"{app}: {'would be ' if dry_run else ''}{what} {', '.join(slots)}")
