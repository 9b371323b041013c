"""The group of commands. A command's module is imported when the command is called, so that each starts fast."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from proxyswitch import __version__
from proxyswitch.cli.output import as_json, fail, wants_json
from proxyswitch.cli.screen import area
from proxyswitch.errors import NOTHING_CHANGED, ProxyswitchError

BUG = 70

# name of the command → module and function; in the order of --help
COMMANDS: dict[str, str] = {
    "show": "show:show",
    "get": "look:get",
    "switch": "pools:switch",
    "weight": "pools:weight",
    "set": "pools:set_state",
    "drain": "pools:drain",
    "canary": "instant:canary",
    "reconcile": "pools:reconcile",
    "rollback": "releases:rollback",
    "adopt": "instant:adopt",
    "maintenance": "instant:maintenance",
    "health": "look:health",
    "deploy": "releases:deploy",
    "promote": "deciding:promote",
    "abort": "deciding:abort",
    "confirm": "deciding:confirm",
    "status": "story:status",
    "history": "story:history",
    "logs": "instances:logs",
    "start": "instances:start",
    "stop": "instances:stop",
    "restart": "instances:restart",
    "lint": "lint:lint",
    "generate": "generate:generate",
    "init": "init:init",
    "recover": "care:recover",
    "doctor": "care:doctor",
    "schema": "care:schema",
    "demo": "care:demo",
}


class Commands(TyperGroup):
    """Loads a command when it is named, and is the boundary for errors."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # the group's signature
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        where = COMMANDS.get(cmd_name)
        return load(cmd_name, where) if where else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self.commands = dict.fromkeys(COMMANDS, cast(Any, None))  # their names, for "did you mean"
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ProxyswitchError as error:
            raise typer.Exit(fail(error)) from None
        except (typer.Exit, typer.Abort, KeyboardInterrupt, BrokenPipeError):
            raise
        except Exception as error:
            if hasattr(error, "format_message"):  # a mistake on the command line: the group's own handler says it
                if wants_json():
                    as_json({"error": error.format_message(), "exit": 2, "state": NOTHING_CHANGED, "next": ""})
                raise
            raise typer.Exit(_bug(error)) from None


def load(name: str, where: str) -> Any:
    """The command of that name, or the group of commands, from its module."""
    module, _, attribute = where.partition(":")
    found = getattr(import_module(f"proxyswitch.cli.{module}"), attribute)
    return typer.main.get_command(found) if isinstance(found, typer.Typer) else alone(name, found)


def alone(name: str, function: Callable[..., None]) -> TyperCommand:
    """A function as a command."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(function)
    found = typer.main.get_command(app)
    assert isinstance(found, TyperCommand)  # noqa: S101  # a Typer with one command gives that command
    return found


def _bug(error: Exception) -> int:
    """A fault of ours: the trace goes to a person who can mend it."""
    import traceback

    area.clear()
    traceback.print_exc()
    print(
        f"proxyswitch {__version__}: this is a bug of ours, not yours: {type(error).__name__}: {error}\n"
        "next: run `proxyswitch recover`, look at `proxyswitch show`, and report the lines above",
        file=sys.stderr,
    )
    return BUG


def _version(wanted: bool) -> None:
    if wanted:
        print(f"proxyswitch {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Switch traffic and release applications behind the nginx or HAProxy that you already run.

    Exit codes: 0 done or already so, 1 findings or unhealthy, 2 usage or config, 3 failed and everything is as before,
    4 failed and a person must look, 5 switched but not drained in time, 70 a bug, 75 busy, 128+n a signal.
    """


def command() -> Any:
    """The whole command line, ready to be called."""
    app = typer.Typer(
        cls=Commands,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    return typer.main.get_command(app)
