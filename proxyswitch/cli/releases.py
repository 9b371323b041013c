"""Commands for releases: deploy, rollback, status, history."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxyswitch import durations
from proxyswitch.cli import options, output
from proxyswitch.cli.context import Given, Proxies, settings_path, unchanged, world_of
from proxyswitch.errors import ProxyswitchError, UsageError

if TYPE_CHECKING:  # imported when a command runs: they cost time at the start
    from proxyswitch.proxies.base import Proxy
    from proxyswitch.release.deploy import Prepared, Request
    from proxyswitch.release.history import Entry
    from proxyswitch.release.world import World


def deploy(
    app: Annotated[str, typer.Argument(metavar="APP", help="An app of proxyswitch.toml.")],
    version: Annotated[str | None, typer.Option(metavar="V", help="What to call it; by default the time.")] = None,
    slot: Annotated[str, typer.Option(metavar="SLOT", help="The idle slot to use.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Even when this version is live already.")] = False,
    in_maintenance: Annotated[
        bool, typer.Option("--in-maintenance", help="Even while the pool is closed for maintenance.")
    ] = False,
    dry_run: options.DryRun = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Release a version of an app beside the old one.

    Starts it, switches when it is healthy, drains and stops the old one. A version that fails is stopped, and the old
    one never noticed.
    """
    from proxyswitch.release.deploy import Request

    world = world_of(Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet))
    if version is not None and not version.strip():
        raise UsageError("--version is empty", next_step="did the command that should print it fail?")
    request = Request(app, _now_as_version() if version is None else version, slot, again, closed=in_maintenance)
    _release(world, request, dry_run=dry_run, json=json, quiet=quiet)


def _now_as_version() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def _release(world: World, request: Request, *, dry_run: bool, json: bool, quiet: bool) -> None:
    from proxyswitch.release import deploy as releases

    if dry_run:
        _show_plan(world, releases.prepare(world, request), json=json, quiet=quiet)
        return
    try:
        entry = releases.deploy(world, request)
    except ProxyswitchError as error:
        error.facts = {"changed": False, "app": request.app, "version": request.version, **error.facts}
        raise
    _say(entry, json=json, quiet=quiet)


def _show_plan(world: World, prepared: Prepared, *, json: bool, quiet: bool) -> None:
    from proxyswitch.cli.pools import diff_of, show_steps
    from proxyswitch.release import plan, transaction
    from proxyswitch.release.intents import SwitchTo

    release = prepared.release
    if prepared.unchanged and not quiet:
        output.note(f"nothing to do: {release.name} {release.version} is live already")
    diff = ""
    if not prepared.unchanged:
        intent = SwitchTo((str(plan.target_slot(release).endpoint),))
        diff = diff_of(transaction.preview(world.proxy(release.app.proxy), release.app.pool, intent).files)
    if json:
        steps = prepared.plan.describe()
        facts = {**_facts(prepared.entry), "changed": False, "would_change": not prepared.unchanged}
        output.as_json({**facts, "plan": steps, "diff": diff})
    elif not prepared.unchanged and not quiet:
        show_steps(prepared.plan, diff)


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "changed": entry.result == "done",
        "app": entry.app,
        "pool": entry.pool,
        "from": {"slot": entry.old_slot, "version": entry.old_version},
        "to": {"slot": entry.slot, "version": entry.version},
        "mode": entry.mode,
        "seconds": entry.seconds,
    }


def _say(entry: Entry, *, json: bool, quiet: bool) -> None:
    import sys

    if json:
        output.as_json(_facts(entry))
    elif entry.result == "unchanged":
        if sys.stderr.isatty() and not quiet:
            output.note(f"unchanged: {entry.app} {entry.version} is live already in slot {entry.slot}")
    elif not quiet:
        old = f"{entry.old_version or 'unknown'} ({entry.old_slot})" if entry.old_slot else "nothing"
        output.answer(f"{entry.app}: {old} → {entry.version} ({entry.slot}) ({durations.show(entry.seconds)})")


def rollback(
    what: Annotated[str, typer.Argument(metavar="[POOL|APP]", help="The last change of all without it.")] = "",
    drain: options.Drain = None,
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
    """Take back the last switch, or the last release of an app."""
    given = Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet)
    world = world_of(given)
    app = _app_meant(world, what) if settings_path(given) or not what else ""
    if app:
        if drain is not None or force:
            raise UsageError(
                f"--drain and --force are for a pool; {app} is an app",
                next_step=f"its drain time is apps.{app}.drain in {world.settings.path}",
            )
        _rollback_app(world, app, dry_run=dry_run, json=json, quiet=quiet)
        return
    from proxyswitch.cli.pools import change
    from proxyswitch.release import pools

    proxy, pool = _proxy_meant(Proxies(given), what)
    world.take(proxy)
    if not dry_run:
        pools.set_right(world, proxy)
    with unchanged(pool):
        wish = pools.rollback_wish(proxy, pools.last_change(proxy, pool), drain=drain or 0.0, force=force)
    change(world, wish, dry_run=dry_run, json=json, quiet=quiet)


def _proxy_meant(proxies: Proxies, what: str) -> tuple[Proxy, str]:
    """The proxy that has the pool; without a pool, that of the last change of all."""
    if what:
        return proxies.of_pool(what)
    from proxyswitch.release import pools

    found = []
    for name in proxies.names():
        with contextlib.suppress(ProxyswitchError):
            found.append(proxies.make(name))
    proxy = pools.last_changed(found)
    return proxy or proxies.make(proxies.names()[0]), ""


def _app_meant(world: World, what: str) -> str:
    """The app that is meant, if one is: by name, or because its release was the last change of all."""
    if what:
        return what if what in world.settings.apps else ""
    from proxyswitch.release import history
    from proxyswitch.release.pools import past

    last = past().last(lambda e: e.kind == history.RELEASE or (bool(e.change) and not e.release))
    return last.app if last else ""


def _rollback_app(world: World, app: str, *, dry_run: bool, json: bool, quiet: bool) -> None:
    from proxyswitch.release import deploy as releases

    _release(world, releases.going_back(app), dry_run=dry_run, json=json, quiet=quiet)


COLUMNS = ("app", "slot", "state", "version", "pid", "since", "address", "health")


def status(
    app: Annotated[str, typer.Argument(metavar="[APP]", help="One app; all without it.")] = "",
    json: options.Json = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Show what runs in each slot, and which one is live.

    Exit 1 when a live slot is not healthy.
    """
    from proxyswitch.release import status as look

    world = world_of(Given(config, nginx_conf, haproxy_conf, haproxy_socket))
    names = [app] if app else sorted(world.settings.apps)
    found = [look.look(world, name) for name in names]
    if json:
        output.as_json({"apps": found})
    else:
        output.table(COLUMNS, [[str(row[c]) for c in COLUMNS] for one in found for row in _rows(one)])
        if not names:
            output.note(f"no app is described in {world.settings.path or 'a proxyswitch.toml: none was found'}")
        for one in found:
            if one["interrupted"]:
                output.note(f"{one['app']}: a release was interrupted; put it right with: proxyswitch recover")
    if any(s["live"] and not s["healthy"] for one in found for s in one["slots"]):
        raise typer.Exit(1)


def _rows(one: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for slot in one["slots"]:
        since = _moment(slot["since"]) if slot["since"] else "-"
        state = ("live" if slot["running"] else "live, stopped") if slot["live"] else _idle(slot)
        health = "-" if not slot["running"] and not slot["live"] else ("ok" if slot["healthy"] else slot["reason"])
        extra = {"app": one["app"], "state": state, "health": health, "since": since, "pid": slot["pid"] or "-"}
        rows.append({**slot, **extra, "version": slot["version"] or "-"})
    return rows


def _idle(slot: dict[str, Any]) -> str:
    return "idle" if slot["running"] else "stopped"


def _moment(at: float) -> str:
    """A time for people, to the second, in the local zone."""
    from datetime import datetime

    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")


def history(
    what: Annotated[str, typer.Argument(metavar="[POOL|APP]", help="Only of that pool or app.")] = "",
    last: Annotated[int, typer.Option("--last", "-n", help="So many entries.", min=1)] = 20,
    json: options.Json = False,
) -> None:
    """List what was done, the newest last."""
    import msgspec

    from proxyswitch.release.pools import past

    entries = sorted((e for e in past().entries() if what in ("", e.pool, e.app)), key=lambda e: e.at)[-last:]
    if json:
        for entry in entries:
            output.as_json(msgspec.to_builtins(entry))
        return
    rows = [(_moment(e.at), e.kind, e.app or e.pool, e.result, durations.show(e.seconds), e.user, _went(e)) for e in entries]
    output.table(("when", "what", "of", "result", "took", "by", "change"), rows)


def _went(entry: Entry) -> str:
    if entry.version:
        reason = f": {entry.reason.splitlines()[0]}" if entry.reason else ""
        return f"{entry.old_version or '-'} → {entry.version}{reason}"
    from proxyswitch.release.intents import described, shares

    pairs = entry.change.servers if entry.change else ()
    if any(c.after and c.after.slot for c in pairs):
        return f"{shares(c.before for c in pairs)} → {shares(c.after for c in pairs)}"
    return ", ".join(described(c.before, c.after) for c in pairs)
