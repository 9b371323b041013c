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
    from proxyswitch.preflight import Verdict
    from proxyswitch.proxies.base import Proxy
    from proxyswitch.release.deploy import Request
    from proxyswitch.release.history import Entry
    from proxyswitch.release.running import Prepared
    from proxyswitch.release.world import World


SAYS = {"refuse": "would be refused", "warn": "warning"}


def deploy(
    apps: Annotated[list[str], typer.Argument(metavar="APP", help="An app of proxyswitch.toml, or several.")],
    version: Annotated[str | None, typer.Option(metavar="V", help="What to call it; by default the time.")] = None,
    together: Annotated[
        bool, typer.Option("--together", help="Several apps as one: all ready before the first switches; all or none.")
    ] = False,
    slot: Annotated[str, typer.Option(metavar="SLOT", help="The idle slot to use.")] = "",
    strategy: Annotated[
        str, typer.Option(metavar="NAME", help="blue-green, canary, rolling or stop-start, instead of the settings.")
    ] = "",
    batch: Annotated[int, typer.Option(metavar="N", help="rolling: so many slots at a time.", min=0)] = 0,
    verify: Annotated[
        list[str] | None,
        typer.Option("--verify", metavar="URL", help="The public address must answer as the new version does, too."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Even when this version is live already.")] = False,
    in_maintenance: Annotated[
        bool, typer.Option("--in-maintenance", help="Even while the pool is closed for maintenance.")
    ] = False,
    skip_preflight: options.SkipPreflight = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "--plan", help="Show steps, longest times and diff; touch nothing.")
    ] = False,
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
    called = _now_as_version() if version is None else version
    requests = [
        Request(
            app,
            called,
            slot,
            again,
            closed=in_maintenance,
            strategy=strategy,
            batch=batch,
            verify=tuple(verify or ()),
            skip_preflight=skip_preflight,
        )
        for app in dict.fromkeys(apps)
    ]
    for group in [requests] if together else [[request] for request in requests]:
        _release(world, group, dry_run=dry_run, json=json, quiet=quiet)


def _now_as_version() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def _release(world: World, requests: list[Request], *, dry_run: bool, json: bool, quiet: bool) -> None:
    """One app, or several as one."""
    from proxyswitch.cli import events, github
    from proxyswitch.release import deploy as releases

    if dry_run:
        for request in requests:
            prepared = releases.prepare(world, request)
            _show_plan(world, prepared, _preflight(request, prepared), json=json, quiet=quiet)
        return
    names = ", ".join(request.app for request in requests)
    try:
        with events.heard(world, json=json, quiet=quiet):
            entries = releases.together(world, requests)
    except ProxyswitchError as error:
        error.facts = {"changed": False, "app": names, "version": requests[0].version, **error.facts}
        github.summarize(names, requests[0].version, error)
        raise
    for entry in entries:
        github.summarize_release(entry)
        _say(entry, json=json, quiet=quiet)


def _preflight(request: Request, prepared: Prepared) -> list[Verdict]:
    from proxyswitch.release import room

    skipped = request.skip_preflight or prepared.unchanged
    return [] if skipped else room.verdicts(prepared.release, prepared.plan)


def _show_plan(world: World, prepared: Prepared, found: list[Verdict], *, json: bool, quiet: bool) -> None:
    from proxyswitch.cli.pools import show_steps
    from proxyswitch.release import limits

    release = prepared.release
    if prepared.unchanged and not quiet:
        output.note(f"nothing to do: {release.name} {release.version} is live already")
    diff = _diff(world, prepared)
    longest = limits.whole(prepared.plan, release.app)
    if json:
        checked = [verdict._asdict() for verdict in found]
        facts = {**_facts(prepared.entry), "changed": False, "would_change": not prepared.unchanged}
        output.as_json({**facts, "plan": prepared.plan.describe(), "longest": longest, "diff": diff, "preflight": checked})
    elif not prepared.unchanged and not quiet:
        show_steps(limits.described(prepared.plan, release.app), diff)
        output.answer(f"at the longest: {durations.show(longest)}, hooks and stops included; usually far less")
        for verdict in found:
            output.answer(f"{SAYS[verdict.level]}: {verdict.what}")


def _diff(world: World, prepared: Prepared) -> str:
    """Of the first change of each pool: those behind it start from what it makes."""
    from proxyswitch.cli.diff import diff_of
    from proxyswitch.release import steps, transaction

    release, parts, seen = prepared.release, [], set()
    for step in prepared.plan.steps:
        if isinstance(step, steps.EditConfig) and (step.proxy, step.pool) not in seen:
            seen.add((step.proxy, step.pool))
            proxy = world.proxy(step.proxy or release.proxy_name)
            parts.append(diff_of(transaction.preview(proxy, step.pool, step.intent).files))
    return "".join(parts)


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "changed": entry.result == "done",
        "app": entry.app,
        "pool": entry.pool,
        "from": {"slot": entry.old_slot, "version": entry.old_version},
        "to": {"slot": entry.slot, "version": entry.version},
        "mode": entry.mode,
        "seconds": entry.seconds,
        "gap": entry.gap,
        "drain": entry.drain,
    }


def _say(entry: Entry, *, json: bool, quiet: bool) -> None:
    import sys

    if json:
        output.as_json(_facts(entry))
    elif entry.result == "unchanged":
        if sys.stderr.isatty() and not quiet:
            output.note(f"unchanged: {entry.app} {entry.version} is live already in slot {entry.slot}")
    elif not quiet:
        same = entry.slot == entry.old_slot
        old = f"{entry.old_version or 'unknown'}{'' if same else f' ({entry.old_slot})'}" if entry.old_slot else "nothing"
        gap = f", nobody served for {durations.show(entry.gap)}" if entry.gap else ""
        took = f"({durations.show(entry.seconds)}{gap})"
        output.answer(f"{entry.app}: {old} → {entry.version}{'' if same else f' ({entry.slot})'} {took}")


def rollback(
    what: Annotated[str, typer.Argument(metavar="[POOL|APP]", help="The last change of all without it.")] = "",
    to: Annotated[str, typer.Option(metavar="V", help="Of an app: to this version, further back.")] = "",
    drain: options.Drain = None,
    skip_preflight: options.SkipPreflight = False,
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
        if drain is not None:
            raise UsageError(
                f"--drain is for a pool; {app} is an app",
                next_step=f"its drain time is apps.{app}.drain in {world.settings.path}",
            )
        _rollback_app(world, app, to, force=force, skip_preflight=skip_preflight, dry_run=dry_run, json=json, quiet=quiet)
        return
    if skip_preflight:
        raise UsageError(f"--skip-preflight is for an app, and {what or 'the last change'} is none")
    if to:
        raise UsageError(f"--to is for an app, and {what or 'the last change'} is none", next_step="name an app")
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


def _rollback_app(
    world: World, app: str, to: str, *, force: bool, skip_preflight: bool, dry_run: bool, json: bool, quiet: bool
) -> None:
    from dataclasses import replace

    from proxyswitch.release import confirming
    from proxyswitch.release import deploy as releases

    request = replace(releases.going_back(app, to=to), skip_preflight=skip_preflight)
    if not force:
        confirming.refuse_back(world, request)
    _release(world, [request], dry_run=dry_run, json=json, quiet=quiet)
