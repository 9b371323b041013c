"""Commands that tell: what runs in each slot, and what was done."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxyswitch import durations
from proxyswitch.cli import options, output
from proxyswitch.cli.context import Given, world_of
from proxyswitch.cli.moments import minute
from proxyswitch.errors import UsageError

if TYPE_CHECKING:  # imported when a command runs: they cost time at the start
    from proxyswitch.release.history import Entry

COLUMNS = ("when", "what", "of", "result", "took", "by", "change")
ENTRIES = 20


def status(
    app: Annotated[str, typer.Argument(metavar="[APP]", help="One app; all without it.")] = "",
    json: options.Json = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Show what runs in each slot, its share of the traffic, and what is not finished.

    Exit 1 when a live slot is not healthy.
    """
    from proxyswitch.release import status as look

    world = world_of(Given(config, nginx_conf, haproxy_conf, haproxy_socket))
    names = [app] if app else sorted(world.settings.apps)
    found = [look.look(world, name) for name in names]
    if json:
        output.as_json({"apps": found})
    else:
        _show(found)
        if not names:
            output.note(f"no app is described in {world.settings.path or 'a proxyswitch.toml: none was found'}")
    if any(s["live"] and not s["healthy"] for one in found for s in one["slots"]):
        raise typer.Exit(1)


def _show(found: list[dict[str, Any]]) -> None:
    """All of it on a terminal; elsewhere a table, and beside it only what must be put right."""
    from proxyswitch.cli import slots

    if sys.stdout.isatty():
        for one in found:
            output.answer("\n".join(slots.lines(one)))
        return
    output.table(slots.COLUMNS, [row for one in found for row in slots.rows(one)])
    for one in found:
        if one["interrupted"]:
            output.note(slots.interrupted(one))


def history(
    what: Annotated[str, typer.Argument(metavar="[POOL|APP|ID]", help="Only of that pool or app, or one release.")] = "",
    last: Annotated[
        int | None, typer.Option("--last", "-n", help="So many entries; by default 20, with --timeline 1.", min=1)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The changes of pools that releases made, too.")] = False,
    timeline: Annotated[bool, typer.Option("--timeline", help="Releases step by step: when, how long, shares.")] = False,
    json: options.Json = False,
) -> None:
    """List what was done, the newest last. With --timeline one release, step by step."""
    from proxyswitch.release.pools import past

    entries = sorted(past().entries(), key=lambda e: e.at)
    found = [e for e in entries if what in ("", e.pool, e.app, e.id, e.release)]
    if timeline:
        _timelines([e for e in found if e.steps][-(last or 1) :], entries, what, json=json)
    elif json:
        _as_json(found[-(last or ENTRIES) :])
    else:
        shown = found if every else _whole(found)
        output.table(COLUMNS, [_row(e) for e in shown[-(last or ENTRIES) :]])


def _timelines(releases: list[Entry], entries: list[Entry], what: str, *, json: bool) -> None:
    from proxyswitch.cli import timeline

    if not releases:
        raise UsageError(
            f"no release{f' of {what}' if what else ''} is in the history", next_step="what is there: proxyswitch history"
        )
    if json:
        _as_json(releases)
        return
    output.answer("\n\n".join("\n".join(timeline.lines(release, entries)) for release in releases))


def _as_json(entries: list[Entry]) -> None:
    import msgspec

    for entry in entries:
        output.as_json(msgspec.to_builtins(entry))


def _whole(entries: list[Entry]) -> list[Entry]:
    """Without the changes that are part of a release which is there itself."""
    known = {e.id for e in entries}
    return [e for e in entries if not (e.part and e.release in known)]


def _row(e: Entry) -> tuple[str, ...]:
    indent = "  " if e.part and sys.stdout.isatty() else ""
    return minute(e.at), indent + e.kind, e.app or e.pool, e.result, durations.show(e.seconds), e.user, _went(e)


def _went(entry: Entry) -> str:
    if entry.version:
        old = f"{entry.old_version or '-'} → " if entry.slot and not entry.release else ""
        gap = f", nobody served for {durations.show(entry.gap)}" if entry.gap else ""
        reason = f": {entry.reason.splitlines()[0]}" if entry.reason else ""
        return f"{old}{entry.version}{gap}{reason}"
    from proxyswitch.release.intents import described, shares

    pairs = entry.change.servers if entry.change else ()
    if any(c.after and c.after.slot for c in pairs):
        return f"{shares(c.before for c in pairs)} → {shares(c.after for c in pairs)}"
    return ", ".join(described(c.before, c.after) for c in pairs)
