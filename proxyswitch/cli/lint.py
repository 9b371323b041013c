"""The command lint."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, cast

import typer

from proxyswitch.cli import output
from proxyswitch.errors import ProxyswitchError, SettingsError, UsageError

if TYPE_CHECKING:  # imported when a command runs: they cost time at the start
    from proxyswitch.cli.lint_run import Result
    from proxyswitch.lint.finding import Finding
    from proxyswitch.lint.options import Dialect as What
    from proxyswitch.lint.options import Options
    from proxyswitch.lint.options import Phase as How
    from proxyswitch.settings_lint import Lint

STDIN = "-"
STDIN_NAME = "<stdin>"


class Kind(StrEnum):
    """What a file is, whatever its name."""

    HAPROXY = "haproxy"
    NGINX = "nginx"
    SETTINGS = "settings"
    SQL = "sql"


class Level(StrEnum):
    """From which level on findings are exit 1."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Phase(StrEnum):
    """When a migration runs: before the new version gets traffic, or when the old one is gone."""

    EXPAND = "expand"
    CONTRACT = "contract"


class Dialect(StrEnum):
    POSTGRES = "postgres"
    MYSQL = "mysql"
    SQLITE = "sqlite"


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def lint(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...",
            help="Files, or a folder with an nginx.conf or with what HAProxy loads; - is standard input. Without: as the"
            " settings say.",
        ),
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option(help="What all of them are, whatever their names.", show_default=False)
    ] = None,
    phase: Annotated[
        Phase | None,
        typer.Option(
            help="Of SQL whose path tells none (expand/, contract/, NAME.expand.sql, NAME.contract.sql). [default: expand]"
        ),
    ] = None,
    dialect: Annotated[Dialect | None, typer.Option(help="The database of the SQL. [default: postgres]")] = None,
    format_: Annotated[Format, typer.Option("--format", help="How findings are printed.")] = Format.TEXT,
    select: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Ask only this rule, or kind of rules; again for more.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Leave out a rule, or a kind of rules; again for more.")
    ] = None,
    fail_on: Annotated[Level | None, typer.Option(help="From which level on findings are exit 1. [default: error]")] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend what can be mended for certain, then print what is left.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print what --fix would change; write nothing.")] = False,
    with_server: Annotated[
        bool,
        typer.Option("--with-server", help="Ask nginx -t, haproxy -c, and gixy if it is here, about whole configs too."),
    ] = False,
    stdin_filename: Annotated[
        str, typer.Option(metavar="NAME", help="The name of standard input: findings carry it, and it tells the kind.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    list_rules: Annotated[bool, typer.Option("--list-rules", help="Print all rules and exit.")] = False,
    explain: Annotated[str, typer.Option(metavar="RULE", help="Print why a rule is there, with examples, and exit.")] = "",
) -> None:
    """Find faults in configs of nginx and HAProxy, in SQL migrations and in proxyswitch.toml, before they hurt.

    Needs none of the servers, and touches nothing without --fix. Exit 1 with findings of that level, 2 when something cannot
    be read.
    """
    from proxyswitch.cli import lint_rules, lint_run
    from proxyswitch.cli.lint_rules import checked

    if list_rules or explain:
        lint_rules.tell(explain)
        return
    said, names, errors = _said(files or [])
    judging = phase.value if phase else "", dialect.value if dialect else ""
    options = _options(said, checked(select or []), checked(ignore or []), *judging)
    least = fail_on.value if fail_on else said.fail_on if said else "error"
    if with_server and STDIN in names:
        raise UsageError("the server reads files: --with-server cannot be used for standard input")
    work = lint_run.Work(names, kind.value if kind else "", stdin_filename or STDIN_NAME, fix=fix or diff)
    result = lint_run.judged(work, options)
    result.errors[:0] = errors
    if diff:
        _show_diff(result)
    else:
        if fix:
            lint_run.write(result, work, options)
        if with_server:
            lint_run.ask_servers(result, options)
        _show(result, Format.JSON if json else format_, fixed=STDIN in names and fix)
    _end(result, failing=bool(diff and result.changes) or _failing(result.found, least))


def _said(files: list[str]) -> tuple[Lint | None, list[str], list[ProxyswitchError]]:
    """What the settings say, and the files. A settings file that is wrong can still be looked at itself."""
    from proxyswitch.cli import lint_settings

    try:
        said = lint_settings.load()
    except SettingsError as error:
        wrong = [name for name in files if os.path.realpath(name) == os.path.realpath("proxyswitch.toml")]
        if not wrong or not error.what.startswith("proxyswitch.toml"):
            raise
        return None, wrong, [error]
    names = files or (lint_settings.expand(said.files) if said else [])
    if not names:
        raise UsageError("no file was named", next_step="name the files to look at, - for standard input, or [lint] files")
    return said, names, []


def _options(said: Lint | None, select: tuple[str, ...], ignore: tuple[str, ...], phase: str, dialect: str) -> Options:
    """What is asked: words of the command line go before those of the settings."""
    from proxyswitch.lint.options import Options

    if said is None:
        return Options(select, ignore, cast("How", phase or "expand"), cast("What", dialect or "postgres"))
    per_file = tuple((glob, tuple(rules)) for glob, rules in said.per_file_ignores.items())
    asked = select or tuple(said.select), ignore or tuple(said.ignore)
    return Options(*asked, cast("How", phase or said.phase), cast("What", dialect or said.dialect), per_file)


def _failing(found: list[Finding], level: str) -> bool:
    from proxyswitch.lint.finding import LEVELS

    return any(LEVELS.index(finding.level) >= LEVELS.index(level) for finding in found)


def _show(result: Result, format_: Format, *, fixed: bool) -> None:
    """The findings; on standard error where the answer is a fixed text."""
    from proxyswitch.lint.formats import FORMATS, summary, text

    terminal = (sys.stderr if fixed else sys.stdout).isatty()
    found = result.found
    if found or format_ in (Format.JSON, Format.SARIF):
        colour = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        said = text(found, colour=colour) if format_ is Format.TEXT else FORMATS[format_](found)
        (output.note if fixed else output.answer)(said)
    if terminal and format_ is Format.TEXT and not result.errors:
        output.note(summary(found))


def _show_diff(result: Result) -> None:
    from proxyswitch.cli.diff import diff_of
    from proxyswitch.lint.formats import plural, summary

    if result.changes:
        output.answer(diff_of(result.changes).rstrip("\n"))
        output.note(f"--fix would fix {plural(result.fixed, 'finding')}, and leave {summary(result.found)}")


def _end(result: Result, *, failing: bool) -> None:
    """Tell what could not be read; on standard error alone, since the answer is told."""
    from proxyswitch.cli import github

    for error in result.errors:
        github.annotate(error)
        output.note("\n  ".join([f"proxyswitch: {error.what}", *error.lines()[1:]]))
    if result.errors:
        raise typer.Exit(max(error.exit_code for error in result.errors))
    if failing:
        raise typer.Exit(1)
