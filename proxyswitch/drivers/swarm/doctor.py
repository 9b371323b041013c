"""What is not zero-downtime about a service, or would stop a release."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from proxyswitch import durations
from proxyswitch.drivers.swarm.seen import Seen
from proxyswitch.model import Endpoint, Problem
from proxyswitch.settings import App
from proxyswitch.settings_runners import Swarm

PAUSE = 2.0  # seconds in which the pool is sure to have followed


def gap(settings: Swarm, seen: Seen, nodes: Callable[[], int]) -> str:
    """Why no task could start beside an old one; nothing where one can. `nodes` counts those that take tasks."""
    ports = ", ".join(map(str, seen.service.fixed_ports))
    if not ports or "start-first" not in (settings.update.order, settings.rollback.order):
        return ""
    if nodes() > seen.count:
        return ""
    return (
        f"{settings.service} publishes the fixed port {ports} on each node: start-first needs a node more than its"
        f" {seen.count} tasks, where the port is free"
    )


def unpublished(app: App, settings: Swarm, seen: Seen) -> Problem | None:
    """The pool follows the tasks, so each must have a port of its own."""
    ports = seen.service.host_ports
    if not follows(app):
        return None
    if settings.port in ports or (settings.port is None and len(ports) == 1):
        return None
    there = ", ".join(map(str, sorted(ports))) or "none"
    service = settings.service
    if ports:
        what = f"{service} publishes these ports with mode=host: {there}; the pool {app.pool} needs one that is named"
        return Problem(what, "set port, the one in the container, in its table swarm")
    what = f"{service} publishes no port with mode=host, and the pool {app.pool} is to follow its tasks"
    return Problem(what, f"docker service update --publish-add mode=host,target=8000 {service}")


def overtaken(app: App, settings: Swarm, seen: Seen) -> Iterator[Problem]:
    """Swarm ends the old tasks itself; the pool knows a moment later. Till then another task of it must serve."""
    way, count, service = settings.update, seen.count, settings.service
    if not follows(app):
        return
    if count == 1:
        what = f"one task: the pool {app.pool} learns the address of the next one when the old one ends already"
        yield Problem(what, f"run two: docker service scale {service}=2")
        return
    at_once = seen.service.parallelism if way.parallelism is None else way.parallelism
    if not 0 < at_once < count:
        what = f"all {count} tasks are replaced at a time: the pool {app.pool} learns the new ones when the old ones end"
        yield Problem(what, "set parallelism = 1 in update")
    delay = seen.service.delay if way.delay is None else float(way.delay)
    if delay < PAUSE:
        what = f"from one task to the next Swarm waits {durations.show(delay)}: too short for the pool {app.pool} to follow"
        yield Problem(what, f'set delay = "{PAUSE:g}s" in update')


def follows(app: App) -> bool:
    """True where the pool has the addresses that Swarm gives out."""
    return bool(app.pool) and any(place.endpoint == Endpoint() for place in app.places)


def problems(app: App, settings: Swarm, seen: Seen, nodes: Callable[[], int], checked: bool) -> Iterator[Problem]:
    """`checked`: a health check is known, or nobody can tell from here."""
    service, count = seen.service, seen.count
    missing = unpublished(app, settings, seen)
    if missing:
        yield missing
    told = gap(settings, seen, nodes)
    if told:
        yield Problem(told, "leave the published port out, or set order to stop-first in update and rollback")
    yield from overtaken(app, settings, seen)
    if settings.update.order == "stop-first" and count == 1:
        yield Problem(f"one task, and stop-first: {settings.service} is away at each release", "run two, or start-first")
    if app.pool and service.grace < app.drain:
        seconds = durations.show(service.grace)
        what = f"Swarm kills a task {seconds} after it was asked to end; drain waits {durations.show(app.drain)}"
        next_step = f"docker service update --stop-grace-period {app.drain:g}s {settings.service}; or a shorter drain"
        yield Problem(what, next_step)
    if not checked:
        what = f"neither {settings.service} nor its image has a health check: a task counts as running at once"
        yield Problem(what, "add a HEALTHCHECK to the image")
