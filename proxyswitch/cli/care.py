"""Commands that care for the installation: recover, doctor, schema, demo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from proxyswitch.cli import options, output
from proxyswitch.cli.context import Given, world_of
from proxyswitch.errors import ProxyswitchError

if TYPE_CHECKING:  # imported when a command runs: they cost time at the start
    from proxyswitch.demo.run import Result


def recover(
    keep: Annotated[bool, typer.Option("--keep", help="Keep the files as they are, and forget what was begun.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what is left; touch nothing.")] = False,
    lock_timeout: options.LockTimeout = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Finish or take back what an interrupted run left.

    Every command that changes something does this first too.
    """
    from proxyswitch.release.recovery import left, recover_all

    if dry_run:
        _show_left(left(), json=json)
        return
    world = world_of(Given(config, nginx_conf, haproxy_conf, haproxy_socket, lock_timeout, quiet))
    done: list[str] = []
    errors: list[ProxyswitchError] = []
    for told, error in recover_all(world, keep=keep):
        if error:
            errors.append(error)
        else:
            done.append(told)
            if keep and not json and not quiet:
                output.answer(told)
    for error in errors[1:]:
        output.note("\n  ".join(error.lines()))
    if errors:
        errors[0].facts = {"changed": bool(done), "recovered": done}
        raise errors[0]
    if json:
        output.as_json({"changed": bool(done), "recovered": done})


def _show_left(found: list[str], *, json: bool) -> None:
    if json:
        output.as_json({"changed": False, "would_change": bool(found), "left": found})
        return
    for line in found:
        output.answer(line)


def doctor(
    probe: Annotated[
        str,
        typer.Option(metavar="URL", help="A site of this nginx, straight and not by a CDN: asks whether it sees each flag."),
    ] = "",
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Look whether everything is here and right; exit 1 if not."""
    from proxyswitch import doctor as checks

    given = Given(config, nginx_conf, haproxy_conf, haproxy_socket, quiet=True)
    found = list(checks.examine(lambda: world_of(given), probe))
    bad = [f for f in found if not f.ok]
    if json:
        output.as_json({"ok": not bad, "findings": [{"ok": f.ok, "what": f.what, "next": f.next_step} for f in found]})
    else:
        for finding in bad if quiet else found:
            output.answer(f"{'ok   ' if finding.ok else 'WRONG'}  {finding.what}")
            if finding.next_step:
                output.answer(f"       next: {finding.next_step}")
    if bad:
        raise typer.Exit(1)


def schema() -> None:
    """Print the JSON schema of proxyswitch.toml, for editors."""
    import json

    from proxyswitch import settings

    print(json.dumps(settings.schema(), indent=2))


def demo(
    baseline: Annotated[bool, typer.Option("--baseline", help="Switch as most scripts do, for comparison.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running to play with.")] = False,
    json: options.Json = False,
) -> None:
    """Release a sample app behind a private nginx, under load.

    Then roll back, count what every request saw, and clean up: all in a temporary folder, as the present user.
    """
    from proxyswitch.demo.run import demo as play

    result = play(baseline=baseline, keep=keep, say=output.quiet if json else output.note)
    if json:
        output.as_json(result.facts())
    else:
        _show(result)
    if result.failures and not baseline:
        raise typer.Exit(1)


def _show(result: Result) -> None:
    """The table, and what it means."""
    from proxyswitch.demo.load import COLUMNS

    summary = result.summary
    output.table(COLUMNS, summary.rows())
    versions = ", ".join(f"{count} from version {v}" for v, count in sorted(summary.by_version.items()))
    output.answer(f"{summary.requests} requests, {summary.failures} failed; answered: {versions}")
    if summary.reused_closed:
        output.answer(
            f"{summary.reused_closed} times nginx closed a kept-alive connection just as its next request was sent:"
            "\na reload does that to idle clients; browsers send such a request again, our client never does."
        )
    for line in summary.errors[:5]:
        output.answer(f"  {line}")
    if result.folder:
        output.answer(f"left running in {result.folder}")
