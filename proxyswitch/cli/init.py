"""The command init: looks at the machine and proposes a proxyswitch.toml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxyswitch.cli import asking, options, output
from proxyswitch.proxies.base import Options, Several

if TYPE_CHECKING:  # imported when the command runs: they cost time at the start
    from proxyswitch.proposal.proposed import Proposed
    from proxyswitch.proposal.seen import Seen

NAME = "proxyswitch.toml"


def init(
    write: Annotated[bool, typer.Option("--write", help="Write it to ./proxyswitch.toml.")] = False,
    out: Annotated[str, typer.Option("--output", metavar="FILE", help="Write it to another file.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there; a copy is kept.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take every app that is sure.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Propose a proxyswitch.toml for what runs here, explained line by line.

    It looks at nginx and HAProxy, at who listens where they send traffic, at units, containers, PM2, and compose and
    ecosystem files in this folder. It reads only; it asks a live instance on loopback for /health and the like.
    """
    from proxyswitch.proposal import checked, match, place

    path = _path(out) if write or out else ""
    if path and not force and Path(path).exists():
        raise place.taken(path)
    may_ask = asking.possible() and not (yes or json)
    first, *more = haproxy_conf or [""]
    seen = _look({"nginx": Options(nginx_conf), "haproxy": Options(first, more=tuple(more), socket=haproxy_socket)}, may_ask)
    apps = checked.checked(match.apps(seen))
    apps = _chosen(apps) if may_ask else apps
    text = checked.whole(seen, apps)
    kept = place.put(path, text, force=force) if path else ""
    say = output.quiet if quiet else output.note
    if json:
        output.as_json(_facts(seen, apps, text, path, kept))
    elif not path:
        output.answer(text.removesuffix("\n"))
    _tell(seen, apps, path, kept, say)


def _path(out: str) -> str:
    path = Path(out or NAME).absolute()
    return str(path / NAME if path.is_dir() else path)


# what is asked


def _look(where: Mapping[str, Options], may_ask: bool) -> Seen:
    """Where several proxies run, a person says which; off a terminal that is an error."""
    from proxyswitch.proposal.look import look

    while True:
        try:
            return look(where, Path.cwd())
        except Several as error:
            if not may_ask:
                raise
            name = "nginx" if "nginx" in error.what else "haproxy"
            output.note(f"{error.what.partition(':')[0]}:")
            first, *more = _which(error.choices).split(" ") if name == "haproxy" else [_which(error.choices)]
            where = {**where, name: where[name]._replace(conf=first, more=tuple(more))}


def _which(choices: Mapping[str, int]) -> str:
    listed = list(choices)
    for number, conf in enumerate(listed, 1):
        output.note(f"  {number}  {conf} (process {choices[conf]})")

    def chosen(text: str) -> str:
        if not text.isdecimal() or not 1 <= int(text) <= len(listed):
            raise ValueError(f"a number from 1 to {len(listed)}")
        return listed[int(text) - 1]

    return asking.ask("which one is yours", chosen)


def _chosen(apps: list[Proposed]) -> list[Proposed]:
    """Those that are sure, as far as a person wants them; a single one is not asked about."""
    sure = [app for app in apps if app.sure]
    if len(sure) < 2:
        return apps
    return [app if not app.sure or _wanted(app) else replace(app, doubt="you did not want it") for app in apps]


def _wanted(app: Proposed) -> bool:
    return asking.agreed(f"{app.name}: pool {app.pool} of {app.proxy}, run by {app.driver}; take it?", default=True)


# what is said


def _facts(seen: Seen, apps: list[Proposed], text: str, path: str, kept: str) -> dict[str, object]:
    return {
        "changed": bool(path),
        "file": path or None,
        "kept": kept or None,
        "apps": [
            {"name": a.name, "pool": a.pool, "proxy": a.proxy, "driver": a.driver, "sure": a.sure, "doubt": a.doubt or None}
            for a in apps
        ],
        "seen": {
            "proxies": [asdict(proxy) for proxy in seen.proxies],
            "listeners": [{**asdict(one), "endpoint": str(one.endpoint)} for one in seen.listeners],
            "units": [asdict(unit) for unit in seen.units],
            "services": [asdict(service) for service in seen.services],
            "ecosystem": [asdict(app) for app in seen.ecosystem],
            "asked": [{"address": str(at), **asdict(one)} for at, asked in seen.asked.items() for one in asked],
        },
        "notes": list(seen.notes),
        "text": text,
    }


def _tell(seen: Seen, apps: list[Proposed], path: str, kept: str, say: Callable[[str], None]) -> None:
    for line in seen.notes:
        say(line)
    for app in apps:
        if not app.sure:
            say(f"{app.name} is left out: {app.doubt}")
    if not apps:
        say("no pool was found: what is proposed is a template, to be filled in")
    if kept:
        say(f"what was there before is kept in {kept}")
    if path:
        say(f"{path}: written; read it, then: proxyswitch doctor --config {path}")
