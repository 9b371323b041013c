"""Commands that only look: get, health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxyswitch.cli import options, output
from proxyswitch.cli.context import Given, Proxies, settings_of, settings_path, split_slot, world_of
from proxyswitch.errors import Unhealthy, UsageError
from proxyswitch.model import Endpoint, Pool, Slot

if TYPE_CHECKING:  # imported when a command runs: it costs time at the start
    from proxyswitch.health import Answer


def get(
    pool: options.Pool,
    other: Annotated[bool, typer.Option("--other", help="The idle slot instead of the active one.")] = False,
    slots: Annotated[str, typer.Option(metavar="A,B", help="The addresses of all slots, for --other.")] = "",
    form: Annotated[str, typer.Option("--format", metavar="TEXT", help="{address} {host} {port} {path}.")] = "{address}",
    json: options.Json = False,
    config: options.Config = "",
    nginx_conf: options.NginxConf = "",
    haproxy_conf: options.HaproxyConf = None,
    haproxy_socket: options.HaproxySocket = "",
) -> None:
    """Print the active endpoint of a pool, for $(…): one a line. Exit 1 when there is none."""
    given = Given(config, nginx_conf, haproxy_conf, haproxy_socket)
    proxy, name = Proxies(given).of_pool(pool)
    found = proxy.serving(proxy.pool(name))
    endpoints = [_idle(given, found, slots)] if other else [s.endpoint or s.address for s in found.live]
    if json:
        output.as_json({"pool": found.name, "endpoints": [str(e) for e in endpoints], "other": other})
    else:
        for endpoint in endpoints:
            output.answer(_formatted(form, endpoint))
    if not endpoints:
        raise typer.Exit(1)


def _formatted(form: str, endpoint: Endpoint | str) -> str:
    """The endpoint in the wanted form. Raises UsageError for a name that is none."""
    if isinstance(endpoint, str):
        endpoint = Endpoint(host=endpoint)
    words = {"address": str(endpoint), "host": endpoint.host, "port": endpoint.port or "", "path": endpoint.path}
    try:
        return form.format(**words)
    except (KeyError, IndexError, ValueError, AttributeError):
        known = " ".join("{" + w + "}" for w in words)
        raise UsageError(f"--format {form!r} cannot be filled in; known: {known}") from None


def _idle(given: Given, pool: Pool, slots: str) -> Endpoint:
    """The slot that takes no traffic: of --slots, else of the settings, else of the pool's own lines."""
    live = [s.endpoint for s in pool.live]
    known = _slots(given, pool, slots)
    idle = [e for e in known if e not in live]
    if not idle:
        raise UsageError(
            f"no idle slot of {pool.name} is known",
            next_step="name them all with --slots 127.0.0.1:3001,127.0.0.1:3002, or in proxyswitch.toml",
        )
    return idle[0]


def _slots(given: Given, pool: Pool, slots: str) -> list[Endpoint]:
    if slots:
        return [_endpoint(text.strip().rpartition("=")[2]) for text in slots.split(",") if text.strip()]
    if settings_path(given):
        apps = [a for a in settings_of(given).apps.values() if a.pool.rpartition(":")[2] == pool.name and not a.in_place]
        if apps:
            return [slot.endpoint for app in apps for slot in app.places]
    return [s.endpoint for s in pool.servers if s.endpoint]


def _endpoint(text: str) -> Endpoint:
    try:
        return Endpoint.parse(text)
    except ValueError as error:
        raise UsageError(f"--slots: {error}") from None


def health(
    target: Annotated[str, typer.Argument(help="http(s)://…, tcp://…, unix://…, an address, or APP:SLOT.")],
    wait: Annotated[float, options.time_option("--wait", "Wait at most that long until it is healthy.")] = 0.0,
    hold: Annotated[float, options.time_option("--for", "It must stay healthy for that long.")] = 0.0,
    timeout: Annotated[float, options.time_option("--timeout", "For each try.")] = 2.0,
    interval: Annotated[float, options.time_option("--interval", "Between two tries.")] = 0.5,
    successes: Annotated[int, typer.Option(help="So many in a row, with --wait.", min=1)] = 2,
    status: Annotated[str, typer.Option(metavar="CODES", help="As 200, or 200-299,304.")] = "",
    body: Annotated[str, typer.Option(metavar="TEXT", help="The body must contain it.")] = "",
    field: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A field of the JSON answer.")] = None,
    header: Annotated[list[str] | None, typer.Option(metavar="NAME:VALUE", help="A header to send.")] = None,
    host: Annotated[str, typer.Option(metavar="NAME", help="The Host header and TLS name.")] = "",
    version: Annotated[str, typer.Option(metavar="V", help="For APP:SLOT: the version that must answer.")] = "",
    insecure: Annotated[bool, typer.Option("--insecure", help="Do not verify the certificate.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    config: options.Config = "",
) -> None:
    """Check once whether something is healthy; exit 1 when it is not."""
    from dataclasses import replace

    from proxyswitch import health as checks
    from proxyswitch.errors import Failed

    check = _check(Given(config), target, version)
    wanted: dict[str, Any] = {"timeout": timeout, "insecure": insecure or check.insecure}
    wanted |= {"statuses": _statuses(status)} if status else {}
    wanted |= {"body": body} if body else {}
    wanted |= {"host": host} if host else {}
    wanted |= {"json": {**check.json, **_pairs(field, "=", "--field")}} if field else {}
    wanted |= {"headers": {**check.headers, **_pairs(header, ":", "--header")}} if header else {}
    check = replace(check, **wanted)
    report = output.quiet if quiet else output.note
    try:
        answer = checks.probe(check)
        if wait:
            answer = checks.wait(check, total=wait, interval=interval, successes=successes, report=report)
        if hold:
            answer = checks.hold(check, hold, interval, report=report)
    except Failed as error:
        answer = checks.Answer(False, error.what, 0.0)
    _tell_health(check.url, answer, json=json, quiet=quiet)


def _tell_health(url: str, answer: Answer, *, json: bool, quiet: bool) -> None:
    """Say it, and end with status 1 when it is not healthy."""
    if json:
        output.as_json({"target": url, "healthy": answer.healthy, "reason": answer.reason, "status": answer.status})
        raise typer.Exit(0 if answer.healthy else 1)
    if not answer.healthy:
        what = answer.reason if url in answer.reason else f"{url} is not healthy: {answer.reason}"
        raise Unhealthy(what, state="")
    if not quiet:
        output.answer(f"{url} is healthy: {answer.reason}")


def _check(given: Given, target: str, version: str) -> Any:
    """The check that the word means: an app's slot, or an address."""
    from proxyswitch import health as checks
    from proxyswitch.release import plan

    app, slot = split_slot(target)
    if "/" in target or not settings_path(given):
        return checks.parse_target(target)
    settings = settings_of(given)
    if app not in settings.apps or not slot:
        return checks.parse_target(target)
    place = _address_of(given, app, plan.slot_of(app, settings.apps[app], slot))
    wanted = settings.apps[app].health
    if wanted is None:
        return checks.parse_target(str(place.endpoint))
    if version or "{version}" not in repr((wanted.url, wanted.body, wanted.json, wanted.headers, wanted.host)):
        return checks.check_for(wanted, place, version)
    raise UsageError(f"the health check of {app} asks for the version", next_step="name it with --version V")


def _address_of(given: Given, app: str, place: Slot) -> Slot:
    """The slot with an address: of an app whose runner gives them out, the first one."""
    if place.endpoint != Endpoint():
        return place
    from proxyswitch.release import checks

    found = checks.places_of(world_of(given), app, place)
    if not found:
        raise UsageError(f"{app}:{place.name} does not run: it has no address", next_step=f"proxyswitch status {app}")
    return found[0]


def _statuses(text: str) -> frozenset[int]:
    from proxyswitch import settings

    try:
        return settings.statuses(text)
    except ValueError as error:
        raise UsageError(f"--status: {error}") from None


def _pairs(texts: list[str] | None, mark: str, option: str) -> dict[str, str]:
    pairs = [text.partition(mark) for text in texts or []]
    for key, found, _ in pairs:
        if not found or not key.strip():
            raise UsageError(f"{option} {key!r}: expected NAME{mark}VALUE")
    return {key.strip(): value.strip() for key, _, value in pairs}
