"""Commands that change one pool: switch, weight, set, drain."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxyswitch import durations
from proxyswitch.cli import options, output
from proxyswitch.cli.context import Given, split_server, unchanged, world_for
from proxyswitch.cli.diff import diff_of
from proxyswitch.errors import NeedsPerson, ProxyswitchError, UsageError
from proxyswitch.model import Endpoint, Pool, ServerState, serving

if TYPE_CHECKING:  # imported when a command runs: they cost time at the start
    from proxyswitch.release.pools import Wish
    from proxyswitch.release.traffic import Outcome
    from proxyswitch.release.world import World

MAX_WEIGHT = 1_000_000
MODES = ("auto", "reload", "runtime", "instant")


class By(StrEnum):
    """Who is right where the file and what runs differ."""

    RUNTIME = "runtime"
    FILE = "file"


PROPER = {"nginx": "nginx", "haproxy": "HAProxy"}


def switch(
    pool: options.Pool,
    targets: Annotated[list[str], typer.Argument(metavar="TARGET…", help="Addresses, servers of the pool, or slots.")],
    drain: options.Drain = None,
    force_close: options.ForceClose = False,
    health: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="Switch only when this is healthy (twice in a row).")
    ] = None,
    health_timeout: Annotated[float, options.time_option("--health-timeout", "Wait at most that long for it.")] = 60.0,
    mode: Annotated[str, typer.Option(metavar="MODE", help="auto, reload, runtime or instant.")] = "auto",
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 when it would change.")] = False,
    dry_run: options.DryRun = False,
    force: options.Force = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Move all traffic of a pool to the given targets.

    With --drain it waits for the old side, so that it can be stopped then; exit 5 when that takes too long.
    """
    from proxyswitch.release.intents import SwitchTo
    from proxyswitch.release.pools import Wish

    if mode not in MODES:
        raise UsageError(f"--mode {mode}: not possible here; known: {', '.join(MODES)}")
    given = Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet, mode)
    world, proxy, name = world_for(given, pool)
    intent = SwitchTo(tuple(_target(world, name, t) for t in targets))
    gates = tuple(health or ())
    wish = Wish(name, intent, health=gates, health_total=health_timeout, **_how(proxy, drain, force_close, force))
    if check:
        raise typer.Exit(_show_plan(world, wish, json=json, quiet=quiet))
    change(world, wish, dry_run=dry_run, json=json, quiet=quiet)


def _how(proxy: str, drain: float | None, close: bool, force: bool) -> dict[str, Any]:
    """What the wishes of all commands have in common."""
    return {"proxy": proxy, "drain": drain or 0.0, "close": close, "force": force}


def _target(world: World, pool: str, target: str) -> str:
    """An address for the name of a slot; everything else as it is."""
    for app in world.settings.apps.values():
        if app.pool.rpartition(":")[2] == pool.rpartition(":")[2] and target in app.slots:
            return str(Endpoint.parse(app.slots[target]))
    return target


def weight(
    pool: options.Pool,
    shares: Annotated[list[str], typer.Argument(metavar="SERVER=N…", help="A weight for each; 0 takes it out.")],
    drain: options.Drain = None,
    force_close: options.ForceClose = False,
    dry_run: options.DryRun = False,
    force: options.Force = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Give servers of a pool their shares.

    As in: proxyswitch weight app_backend 127.0.0.1:3001=90 127.0.0.1:3002=10
    """
    from proxyswitch.release.intents import SetWeights
    from proxyswitch.release.pools import Wish

    intent = SetWeights(tuple(_share(text) for text in shares))
    world, proxy, name = world_for(Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet), pool)
    wish = Wish(name, intent, "weight", **_how(proxy, drain, force_close, force))
    change(world, wish, dry_run=dry_run, json=json, quiet=quiet)


def _share(text: str) -> tuple[str, int]:
    server, mark, number = text.rpartition("=")
    if not mark or not server or not number.isascii() or not number.isdecimal():
        raise UsageError(f"{text!r}: expected SERVER=N with a whole number, as 127.0.0.1:3001=90")
    if int(number) > MAX_WEIGHT:
        raise UsageError(f"{text!r}: a weight is at most {MAX_WEIGHT}")
    return server, int(number)


def set_state(
    server: Annotated[str, typer.Argument(metavar="POOL/SERVER", help="As app_backend/127.0.0.1:3001.")],
    state: Annotated[ServerState, typer.Argument(metavar="STATE", help="ready, drain or maint.")],
    drain: options.Drain = None,
    force_close: options.ForceClose = False,
    dry_run: options.DryRun = False,
    force: options.Force = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Put a server into a state.

    In nginx drain and maint are both `down`, and requests under way are finished.
    """
    from proxyswitch.release.intents import SetState
    from proxyswitch.release.pools import Wish

    pool, name = split_server(server)
    world, proxy, pool = world_for(Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet), pool)
    wish = Wish(pool, SetState(name, state), "set", **_how(proxy, drain, force_close, force))
    change(world, wish, dry_run=dry_run, json=json, quiet=quiet)


def drain(
    server: Annotated[str, typer.Argument(metavar="POOL/SERVER", help="As app_backend/127.0.0.1:3001.")],
    timeout: Annotated[float, options.time_option("--timeout", "Wait at most that long.")] = 60.0,
    force_close: options.ForceClose = False,
    dry_run: options.DryRun = False,
    force: options.Force = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Take a server out, and wait for its last request.

    Exit 5 when that takes too long; it stays out of traffic then.
    """
    from proxyswitch.release.intents import SetState
    from proxyswitch.release.pools import Wish

    pool, name = split_server(server)
    world, proxy, pool = world_for(Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet), pool)
    wish = Wish(pool, SetState(name, ServerState.DRAIN), "set", **_how(proxy, timeout, force_close, force))
    change(world, wish, dry_run=dry_run, json=json, quiet=quiet)


def reconcile(
    pool: options.Pool,
    by: Annotated[By, typer.Option(metavar="WHO", help="runtime: the file follows; file: what runs follows.")] = By.RUNTIME,
    dry_run: options.DryRun = False,
    force: options.Force = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Make the file and what runs agree again, after somebody changed one of them alone.

    By default what runs stays as it is, and the file follows, so that it lasts over a reload. State files follow too.
    """
    from proxyswitch.release.pools import reconciling, set_right

    world, proxy, name = world_for(Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet), pool)
    if not dry_run:
        set_right(world, world.proxy(proxy))
    with unchanged(name):
        wish = reconciling(world.proxy(proxy), name, by_file=by is By.FILE, force=force)
    change(world, wish, dry_run=dry_run, json=json, quiet=quiet)


def change(world: World, wish: Wish, *, dry_run: bool, json: bool, quiet: bool) -> None:
    """Do a change of a pool, or show it, and say what came of it."""
    if dry_run:
        _show_plan(world, wish, json=json, quiet=quiet)
        return
    outcome = done(world, wish)
    if json:
        output.as_json(facts(outcome, wish.pool))
    elif not quiet:
        _say(outcome)


def done(world: World, wish: Wish) -> Outcome:
    """Do a change. What stops it says with --json what was changed all the same."""
    from proxyswitch.release import pools

    try:
        return pools.change(world, wish)
    except ProxyswitchError as error:
        if error.outcome is not None and error.outcome.pool is not None:
            error.facts = facts(error.outcome, wish.pool)
        elif not isinstance(error, NeedsPerson):  # there nobody can say so
            error.facts = {"changed": False, "pool": wish.pool}
        raise


def _labels(pool: Pool | None, servers: Any) -> list[str]:
    return [s.label for s in serving(pool.proxy, servers)] if pool else []


def facts(outcome: Outcome, pool: str) -> dict[str, Any]:
    """The JSON object of a change."""
    before = outcome.pool.servers if outcome.pool else ()
    after = outcome.change.result(before).elements() if outcome.change else ()
    return {
        "changed": outcome.changed,
        "pool": outcome.pool.name if outcome.pool else pool,
        "from": _labels(outcome.pool, before),
        "to": _labels(outcome.pool, after),
        "mode": outcome.mode,
        "seconds": outcome.seconds,
        **outcome.facts,
    }


def _say(outcome: Outcome) -> None:
    """One line for a change; nothing for none, off a terminal."""
    import sys

    data = facts(outcome, "")
    after = " ".join(data["to"])
    if not outcome.changed:
        if sys.stderr.isatty():
            output.note(f"unchanged: {data['pool']} is so already: {after}")
        return
    output.answer(f"{data['pool']}: {_arrow(outcome.pool, outcome.change, data)} ({took(outcome)})")
    if outcome.mode == "file" and outcome.pool:
        name = PROPER[outcome.pool.proxy]
        output.note(f"{name} does not run: the file is changed and tested, and counts from its next start")


def took(outcome: Outcome) -> str:
    """How it was done, and in what time."""
    return f"{outcome.mode}, {durations.show(outcome.seconds)}"


def _arrow(pool: Pool | None, change: Any, data: dict[str, Any]) -> str:
    from proxyswitch.release.intents import described, shares

    if pool and change and pool.instant:
        return f"{shares(pool.servers)} → {shares(change.result(pool.servers).elements())}"
    if data["from"] != data["to"] or not pool or not change:
        return f"{' '.join(data['from']) or 'nothing'} → {' '.join(data['to']) or 'nothing'}"
    rows = [described(c.before, c.after) for c in change.servers if c.before and c.after]
    return ", ".join(rows) or ("loaded" if pool.proxy == "nginx" else "told")


def show_steps(lines: list[str], diff: str) -> None:
    """A plan and its diff, for people."""
    for number, line in enumerate(lines, 1):
        output.answer(f"{number}. {line}")
    if diff:
        output.answer(diff.rstrip("\n"))


def _show_plan(world: World, wish: Wish, *, json: bool, quiet: bool) -> int:
    """Show what would be done; 1 when it would change something."""
    from proxyswitch.release import pools

    candidate, steps, stale = pools.preview(world, wish)
    diff = diff_of(candidate.files)
    would = bool(candidate.files or stale)
    if json:
        output.as_json({"would_change": would, "changed": False, "pool": wish.pool, "plan": steps.describe(), "diff": diff})
    elif not quiet and would:
        show_steps(steps.describe(), diff or stale)
    elif not quiet:
        output.note(f"nothing to do: {wish.pool} is so already")
    return int(would)
