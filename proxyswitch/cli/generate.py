"""The command generate: a command for each kind, whose options are the kind's values."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from proxyswitch.cli import options
from proxyswitch.cli.app import alone

if TYPE_CHECKING:  # imported when a kind is asked for: they cost time at the start
    from proxyswitch.generate.value import Value

# name of the option → its type and help: what every kind has besides its values
SHARED: dict[str, tuple[Any, Any, Any]] = {
    "app": (str, "", typer.Option(metavar="APP", help="Take what proxyswitch.toml says of this app.")),
    "write": (bool, False, typer.Option("--write", help="Write the file, tested first, to its usual place.")),
    "out": (str, "", typer.Option("--output", metavar="PATH", help="Another place: a file, or a folder that ends in /.")),
    "diff": (bool, False, typer.Option("--diff", help="Show what --write would change; exit 1 if anything.")),
    "force": (bool, False, typer.Option("--force", help="Write over what was edited, or was not made by this.")),
    "template_dir": (str, "", typer.Option("--template-dir", metavar="DIR", help="Own templates; the rest are ours.")),
    "json": (bool, False, typer.Option("--json", help="Print one JSON object.")),
    "quiet": (bool, False, typer.Option("--quiet", "-q", help="Errors only.")),
    "config": (str, "", typer.Option("--config", metavar="FILE", help="Another proxyswitch.toml.")),
}
NEEDS: dict[str, tuple[str, ...]] = {
    "nginx": ("nginx_version", "openssl_version", "nginx_conf"),
    "haproxy": ("haproxy_version", "openssl_version"),
}
VERSIONED: dict[str, tuple[Any, Any, Any]] = {
    "nginx_version": (str, "", typer.Option(metavar="VERSION", help="For that nginx, and not the one that is installed.")),
    "haproxy_version": (str, "", typer.Option(metavar="VERSION", help="For that HAProxy, and not the installed one.")),
    "openssl_version": (str, "", typer.Option(metavar="VERSION", help="The OpenSSL that it runs with there.")),
    "nginx_conf": (str, "", get_args(options.NginxConf)[1]),
}


class Kinds(TyperGroup):
    """A command for each kind, made when it is named."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # the group's signature
        from proxyswitch.generate.kinds import KINDS

        return list(KINDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        from proxyswitch.generate.kinds import KINDS

        return command_of(cmd_name) if cmd_name in KINDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self.commands = dict.fromkeys(self.list_commands(ctx), cast(Any, None))  # their names, for "did you mean"
        return super().resolve_command(ctx, args)


def _about() -> None:
    """Make a config that is right from the start: print it, or --write it, tested and never over your own.

    What it needs comes from options, from an app of proxyswitch.toml, or is asked for on a terminal.
    """


generate = typer.Typer(cls=Kinds, rich_markup_mode=None, no_args_is_help=True, add_completion=False)
generate.callback()(_about)


def command_of(name: str) -> TyperCommand:
    """The command of a kind."""
    from proxyswitch.cli import generate_run
    from proxyswitch.generate.kinds import load

    kind = load(name)

    def run(**given: Any) -> None:
        generate_run.run(kind, given)

    run.__doc__ = f"{kind.title}\n\nUsual place: {', '.join(dict.fromkeys(part.path for part in kind.parts))}"
    named = {key: VERSIONED[key] for need in kind.needs for key in NEEDS[need]}
    _sign(run, {**{value.key: _option(value) for value in kind.values}, **SHARED, **named})
    return alone(name, run)


def _option(value: Value) -> tuple[Any, Any, Any]:
    if value.switch:
        names = f"{value.option}/--no-{value.option.removeprefix('--')}"
        return bool | None, None, typer.Option(names, help=value.help + _default(value), show_default=False)
    kind = list[str] | None if value.many else str
    text = value.help + (" Again for more." if value.many else "") + _default(value)
    return kind, None if value.many else "", typer.Option(value.option, metavar=value.metavar, help=text, show_default=False)


def _default(value: Value) -> str:
    """As the help says it; a default that follows from other values is told by the value's own text."""
    if value.required:
        return " [required]"
    if callable(value.default) or value.default in ("", (), None):
        return ""
    from proxyswitch.generate.quoting import shown

    several = value.default if isinstance(value.default, tuple) else (value.default,)
    return f" [default: {', '.join(map(shown, several))}]"


def _sign(run: Callable[..., None], given: Mapping[str, tuple[Any, Any, Any]]) -> None:
    """Give the function these options for parameters: typer reads them from its signature."""
    run.__annotations__ = {key: Annotated[kind, option] for key, (kind, _, option) in given.items()}
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=run.__annotations__[key])
            for key, (_, default, _) in given.items()
        ]
    )
