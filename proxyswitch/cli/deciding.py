"""Commands that say how a release goes on: promote, abort, confirm."""

from __future__ import annotations

from typing import Annotated

import typer

from proxyswitch.cli import options, output
from proxyswitch.cli.context import Given, world_of
from proxyswitch.errors import UsageError


def promote(
    app: Annotated[str, typer.Argument(metavar="APP", help="An app whose canary is under way.")],
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",  # noqa: ARG001  # as all commands of an app
    haproxy_conf: options.HaproxyConf = None,  # noqa: ARG001
    haproxy_socket: options.HaproxySocket = "",  # noqa: ARG001
) -> None:
    """Let a canary that is under way go on with its next step, without waiting for the end of its pause."""
    _decide(app, "promote", "goes on", json=json, quiet=quiet, config=config)


def abort(
    app: Annotated[str, typer.Argument(metavar="APP", help="An app whose canary is under way.")],
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",  # noqa: ARG001  # as all commands of an app
    haproxy_conf: options.HaproxyConf = None,  # noqa: ARG001
    haproxy_socket: options.HaproxySocket = "",  # noqa: ARG001
) -> None:
    """Take a canary that is under way back: all traffic goes to the old version at once."""
    _decide(app, "abort", "is being taken back", json=json, quiet=quiet, config=config)


def _decide(app: str, word: str, done: str, *, json: bool, quiet: bool, config: str) -> None:
    from proxyswitch.release import decisions

    world_of(Given(config)).app(app)
    decisions.tell(app, word)
    if json:
        output.as_json({"changed": True, "app": app, "decision": word})
    elif not quiet:
        output.answer(f"{app}: the canary {done}")


def confirm(
    app: Annotated[str, typer.Argument(metavar="[APP]", help="The app whose last release stays for good.")] = "",
    due: Annotated[bool, typer.Option("--due", help="For cron: all apps whose migrate.confirm_after is over.")] = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Confirm a release: it stays, and its contract migrations run, once. Nothing older may run by then."""
    from proxyswitch.release import confirming

    world = world_of(Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet))
    if bool(app) == due:
        raise UsageError("name an app, or give --due", next_step="proxyswitch confirm APP")
    for name in [app] if app else sorted(world.settings.apps):
        if due and not confirming.due(world, name):
            continue
        entry = confirming.confirm(world, name)
        if json:
            output.as_json({"changed": entry is not None, "app": name, "version": entry.version if entry else ""})
        elif entry and not quiet:
            output.answer(confirming.words(entry))
