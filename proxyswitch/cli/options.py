"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from proxyswitch import durations

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Errors only.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show plan and diff; touch nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Do it although a check says no.")]
ForceClose = Annotated[bool, typer.Option("--force-close", help="HAProxy: cut what is left when the drain time is up.")]
SkipPreflight = Annotated[
    bool, typer.Option("--skip-preflight", help="Of an app: do not look whether memory, disk and load allow it.")
]
Config = Annotated[str, typer.Option("--config", metavar="FILE", help="Another proxyswitch.toml.")]
NginxConf = Annotated[
    str, typer.Option("--nginx-conf", metavar="FILE", help="Another main config than the running nginx's.")
]
HaproxyConf = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE", help="Another config than the running HAProxy's; again for each further -f."),
]
HaproxySocket = Annotated[str, typer.Option(metavar="SOCKET", help="HAProxy's runtime socket, where the config tells none.")]
Pool = Annotated[str, typer.Argument(metavar="POOL", help="The pool, as app_backend or nginx:app_backend.")]


def _duration(text: str) -> float:
    try:
        return durations.parse(str(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


LockTimeout = Annotated[
    float | None,
    typer.Option("--lock-timeout", metavar="TIME", parser=_duration, help="Wait that long for a lock that is held."),
]
Drain = Annotated[
    float | None,
    typer.Option("--drain", metavar="TIME", parser=_duration, help="Wait at most that long for the old side, as 60s."),
]
Time = Annotated[float, typer.Option(metavar="TIME", parser=_duration)]


def time_option(name: str, text: str) -> object:
    """An option that takes a duration."""
    return typer.Option(name, metavar="TIME", parser=_duration, help=text)
