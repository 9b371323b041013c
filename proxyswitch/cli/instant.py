"""Commands of instant mode, and maintenance: adopt, canary, maintenance."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxyswitch.cli import asking, options, output, pools
from proxyswitch.cli.context import Given, unchanged, world_for
from proxyswitch.cli.diff import diff_of
from proxyswitch.errors import UsageError

if TYPE_CHECKING:  # imported when a command runs: they cost time at the start
    from proxyswitch.release.pools import Wish
    from proxyswitch.release.traffic import Outcome
    from proxyswitch.release.world import World

RETRY_AFTER = 120.0
PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Maintenance</title></head>
<body><h1>Maintenance</h1><p>We are at work, and back soon.</p></body></html>
"""


class Gate(StrEnum):
    """Whether clients are kept out."""

    ON = "on"
    OFF = "off"


def adopt(
    pool: options.Pool,
    blue: Annotated[list[str] | None, typer.Option(metavar="ADDRESS", help="A server of slot blue; again for more.")] = None,
    green: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="A server of slot green; again for more.")
    ] = None,
    sticky: Annotated[
        str, typer.Option(metavar="KEY", help="What a canary knows clients by: cookie:NAME, header:NAME, variable:NAME.")
    ] = "",
    flags: Annotated[str, typer.Option(metavar="DIR", help="Another folder for the flag; nginx must reach it.")] = "",
    log: Annotated[str, typer.Option(metavar="FILE", help="A log of each try, that a canary is judged by.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Back to the form that it had before.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: options.DryRun = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
) -> None:
    """Bring a pool of nginx into instant mode: its switches need no reload.

    It shows the edits of your own files, asks, tests them with nginx, and reloads once.
    """
    from proxyswitch.release.intents import Adopt, Unadopt
    from proxyswitch.release.pools import Wish

    if undo:
        named = {"--blue": blue, "--green": green, "--sticky": sticky, "--flags": flags, "--log": log}
        _refuse(named, "--undo needs nothing else: it gives the pool the form that it had", "leave them out")
    given = Given(config, nginx_conf, None, "", lock_timeout, quiet)
    world, proxy, name = world_for(given, pool)
    path = str(Path(log).absolute()) if log else ""
    slots = tuple(blue or ()), tuple(green or ())
    intent = Unadopt() if undo else Adopt(*slots, flags, sticky, path)
    wish = Wish(name, intent, "adopt undone" if undo else "adopt", proxy)
    if dry_run:
        pools.change(world, wish, dry_run=True, json=json, quiet=quiet)
        return
    if not yes and not _agreed(world, wish):
        raise typer.Exit(0)
    outcome = pools.done(world, wish)
    if json:
        output.as_json({**pools.facts(outcome, name), "instant": not undo})
    elif not quiet:
        _say_adopted(outcome, name, undo=undo)


def _agreed(world: World, wish: Wish) -> bool:
    """Show what would be edited, and ask. True as well where there is nothing to do."""
    from proxyswitch.release import pools as changes

    if not asking.possible():
        raise UsageError(
            "adopt edits several places of your config: it asks first", next_step="look with --dry-run, then --yes"
        )
    with unchanged(wish.pool):
        candidate, _, _ = changes.preview(world, wish)
    if not candidate.files:
        return True
    output.note(diff_of(candidate.files).rstrip("\n"))
    return asking.agreed("Make these edits, and reload nginx once?", default=False)


def _say_adopted(outcome: Outcome, name: str, *, undo: bool) -> None:
    if not outcome.changed:
        if sys.stderr.isatty():
            output.note(f"unchanged: {name} is {'not ' if undo else ''}in instant mode already")
        return
    output.answer(f"{name}: {'back from instant mode' if undo else 'in instant mode'} ({pools.took(outcome)})")


def canary(
    pool: options.Pool,
    share: Annotated[
        str | None,
        typer.Argument(metavar="[PERCENT]", help="The share of clients that get the new side, as 5%; without: how it does."),
    ] = None,
    drain: options.Drain = None,
    dry_run: options.DryRun = False,
    force: options.Force = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
) -> None:
    """Give the new side of a pool in instant mode a share of the clients, or show how both sides do.

    A client stays on its side. A greater share only moves clients to the new side, 0% takes all of them back, 100% ends it.
    Without PERCENT it shows the tries at each side since the last change, those too that a client never saw.
    """
    given = Given(config, nginx_conf, None, "", lock_timeout, quiet)
    if share is None:
        from proxyswitch.cli.canary import show

        named = {"--drain": drain, "--dry-run": dry_run, "--force": force}
        _refuse(named, "without a percentage nothing is changed", "say one, as 5%")
        show(given, pool, json=json)
        return
    from proxyswitch.release.intents import Canary
    from proxyswitch.release.pools import Wish

    world, proxy, name = world_for(given, pool)
    wish = Wish(name, Canary(_percent(share)), "canary", proxy, drain=drain or 0.0, force=force)
    pools.change(world, wish, dry_run=dry_run, json=json, quiet=quiet)


def _refuse(given: Mapping[str, object], why: str, next_step: str) -> None:
    """Raise UsageError where an option was given that would be passed over."""
    named = [option for option, value in given.items() if value]
    if named:
        raise UsageError(f"{', '.join(named)}: {why}", next_step=next_step)


def _percent(text: str) -> int:
    number = text.removesuffix("%")
    if not number.isascii() or not number.isdecimal() or int(number) > 100:
        raise UsageError(f"{text!r}: expected a whole percentage from 0% to 100%")
    return int(number)


def maintenance(
    pool: options.Pool,
    gate: Annotated[Gate, typer.Argument(metavar="on|off", help="Keep clients out, or let them in again.")],
    message: Annotated[str, typer.Option(metavar="FILE", help="The page that they get; a plain one without it.")] = "",
    retry_after: Annotated[
        float | None, options.time_option("--retry-after", "When clients should come again; in 2 minutes without it.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(metavar="NETWORK", help="Who gets in: an address, or as 10.0.0.0/8; again for more.")
    ] = None,
    dry_run: options.DryRun = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Close a pool for maintenance: 503 with Retry-After and a page.

    For a pool of nginx in instant mode by its flag, without a reload; HAProxy is reloaded.
    """
    from proxyswitch.release.intents import Maintain
    from proxyswitch.release.pools import Wish

    world, proxy, name = world_for(Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet), pool)
    on = gate is Gate.ON
    if not on:
        named = {"--message": message, "--retry-after": retry_after is not None, "--allow": allow}
        _refuse(named, "maintenance off lets everybody in", "leave them out")
    with unchanged(name):
        page = _page(message) if on else ""
    intent = Maintain(on, page, _whole_seconds(retry_after), tuple(allow or ())) if on else Maintain(False)
    wish = Wish(name, intent, f"maintenance {gate}", proxy)
    if dry_run:
        pools.change(world, wish, dry_run=True, json=json, quiet=quiet)
        return
    outcome = pools.done(world, wish)
    closed = world.proxy(proxy).closed(name)
    if json:
        output.as_json({**pools.facts(outcome, name), "closed": closed or None})
    elif not quiet:
        _say_gate(outcome, name, closed)


def _whole_seconds(wait: float | None) -> int:
    """Retry-After counts in whole seconds: rounded up, and at least one."""
    return max(1, ceil(RETRY_AFTER if wait is None else wait))


def _page(message: str) -> str:
    if not message:
        return PAGE
    try:
        return Path(message).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--message {message}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--message {message}: it is no text in UTF-8") from None


def _say_gate(outcome: Outcome, name: str, closed: str) -> None:
    if outcome.changed:
        output.answer(f"{name}: {closed or 'open again'} ({pools.took(outcome)})")
    elif sys.stderr.isatty():
        output.note(f"unchanged: {name} is {closed or 'open'}")
