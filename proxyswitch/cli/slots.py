"""What `status` says of an app: a table of slots for a pipe, a few lines a slot for a terminal, and what is not finished."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from proxyswitch.cli.moments import minute
from proxyswitch.cli.screen import bar

COLUMNS = ("app", "slot", "state", "version", "pid", "since", "address", "health", "share")
WIDTH = 79
BAR = 20


def rows(app: dict[str, Any]) -> list[list[str]]:
    """The slots of an app, in those columns."""
    told = [_row(app, slot) for slot in app["slots"]]
    return [[str(row[column]) for column in COLUMNS] for row in told]


def _row(app: dict[str, Any], slot: dict[str, Any]) -> dict[str, Any]:
    told = {
        "app": app["app"],
        "state": _state(slot),
        "version": slot["version"] or "-",
        "pid": slot["pid"] or "-",
        "since": minute(slot["since"]) if slot["since"] else "-",
        "health": _health(slot),
        "share": "-" if slot["share"] is None else _percent(slot["share"]),
    }
    return {**slot, **told}


def _state(slot: dict[str, Any]) -> str:
    if slot["live"]:
        return "live" if slot["running"] else "live, stopped"
    return "idle" if slot["running"] else "stopped"


def _health(slot: dict[str, Any]) -> str:
    if not slot["running"] and not slot["live"]:
        return "-"
    return "ok" if slot["healthy"] else str(slot["reason"])


def _percent(share: float) -> str:
    return f"{share:g} %"


def lines(app: dict[str, Any]) -> Iterator[str]:
    """The app for a terminal of 80 columns."""
    yield f"{app['app']}: {_how(app)}"
    names = max((len(slot["slot"]) for slot in app["slots"]), default=0)
    states = max((len(_state(slot)) for slot in app["slots"]), default=0)
    for slot in app["slots"]:
        share = "" if slot["share"] is None else f"[{bar(slot['share'], BAR)}] {_percent(slot['share']):>7}  "
        yield f"  {slot['slot']:{names}}  {_state(slot):{states}}  {share}{slot['version'] or '-'}"[:WIDTH].rstrip()
        yield from _folded(_where(slot), " " * (names + 4))
    for told in unfinished(app):
        yield from _folded(told, "  ")


def _how(app: dict[str, Any]) -> str:
    behind = f"behind {app['pool']} ({app['proxy']})" if app["pool"] else "behind no pool"
    return ", ".join(filter(None, (app["strategy"], behind, f"run by {app['driver']}")))


def _where(slot: dict[str, Any]) -> str:
    known = [slot["address"]]
    known += [f"pid {slot['pid']}"] if slot["pid"] else []
    known += [f"since {minute(slot['since'])}"] if slot["since"] else []
    health = _health(slot)
    return ", ".join(known) + ("" if health == "-" else f": {health}")


def unfinished(app: dict[str, Any]) -> Iterator[str]:
    """What is under way, waits for a person, or was cut off."""
    release = app["release"]
    if release and release["runs"]:
        yield f"under way: {_release(release)}"
    if release and release["decision"]:
        yield _decision(app["app"], release["decision"])
    if app["interrupted"]:
        yield interrupted(app)
    yield from _unconfirmed(app)


def interrupted(app: dict[str, Any]) -> str:
    """What a release that was cut off left."""
    return f"{app['app']}: a release was interrupted: {_release(app['release'])}; put it right with: proxyswitch recover"


def _release(release: dict[str, Any]) -> str:
    versions = f"{release['from']['version'] or '-'} → {release['to']['version']}"
    begun = f"begun {minute(release['begun'])} by {release['user']}"
    return f"{release['kind']} {versions}, {begun}, at step {release['number']} of {release['steps']}: {release['step']}"


def _decision(app: str, decision: dict[str, Any]) -> str:
    end = "it is taken back" if decision["manual"] else "it goes on"
    until = f"without either, {end} at {minute(decision['until'])}"
    return f"to go on now: proxyswitch promote {app}; to go back: proxyswitch abort {app}; {until}"


def _unconfirmed(app: dict[str, Any]) -> Iterator[str]:
    known = app["unconfirmed"]
    if known:
        due = "" if known["due"] is None else f" (`confirm --due` does it from {minute(known['due'])} on)"
        versions = ", ".join(known["versions"])
        yield f"not confirmed: {versions}; run its contract migrations with: proxyswitch confirm {app['app']}{due}"


def _folded(text: str, indent: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
