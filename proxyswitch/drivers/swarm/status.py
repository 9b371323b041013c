"""What runs, judged: its version, what exactly it is, whether it is well, and why tasks failed."""

from __future__ import annotations

from typing import Any

from proxyswitch.drivers.swarm.client import Client
from proxyswitch.drivers.swarm.seen import Seen, version_of
from proxyswitch.drivers.swarm.values import Task
from proxyswitch.model import Endpoint, Health, Instance, Slot

LAST_LINES = 5
ENDINGS = 3  # more of them say no more
RETRIES = 3  # of a health check, as Docker has it where nothing else is said


def instance(client: Client, seen: Seen, slot: Slot) -> Instance | None:
    """The service as an instance; None when it is stopped and nothing of it serves."""
    serving = seen.serving
    if seen.service.replicas == 0 and not serving:
        return None
    builds = {task.build for task in serving} or {seen.service.build}
    return Instance(
        slot=slot.name,
        version="+".join(sorted({version_of(build, client.settings.image) for build in builds})),
        process=None,
        since=min((task.since for task in serving), default=0.0),
        artefact=_artefact(client, serving),
        endpoints=seen.endpoints if slot.endpoint == Endpoint() else (),
        health=_health(client, seen),
    )


def _artefact(client: Client, serving: list[Task]) -> str:
    """The image with its digest, as Swarm resolved it; without one, its ID, where a task runs on this engine."""
    image = serving[0].build.image if serving else ""
    if not serving or "@" in image:
        return image
    return str(_local(client, serving).get("Image", image))


def _health(client: Client, seen: Seen) -> Health:
    """Swarm lets a task count as running only when its health check is good; some have none."""
    if seen.settled:
        return Health.HEALTHY if checked(client, seen) else Health.UNKNOWN
    if len(seen.serving) >= seen.count and not seen.failures:
        return Health.UNKNOWN  # in the midst of an update, with all that are needed
    return Health.UNHEALTHY if seen.failures else Health.STARTING


def checked(client: Client, seen: Seen) -> bool | None:
    """Is there a health check, of the service or its image? None where no task is near enough to tell."""
    local = _local(client, seen.serving)
    image = (local["Config"].get("Healthcheck") or {}).get("Test", ["NONE"]) != ["NONE"] if local else None
    return seen.service.checked or image


def _local(client: Client, tasks: list[Task]) -> dict[str, Any]:
    """The first of their containers that runs on the engine that we talk to."""
    return next((found for task in tasks if (found := client.container(task.container))), {})


def why(client: Client, failed: list[Task]) -> str:
    """What is known of tasks that failed, the newest first: how they ended, and the last words of one that spoke."""
    if not failed:
        return ""
    endings = "; ".join(dict.fromkeys(task.ending() for task in failed[:ENDINGS]))
    said = next((lines for task in failed if task.container and (lines := client.logs(task.id, LAST_LINES))), [])
    return "\n  | ".join([endings, *_ill(client, failed), *said])


def _ill(client: Client, failed: list[Task]) -> list[str]:
    """What the health check said last, where the container is near and was given up for it.

    Of one that ended by itself it says only that a check was cut off.
    """
    local = _local(client, failed)
    health = local.get("State", {}).get("Health") or {}
    retries = (local.get("Config", {}).get("Healthcheck") or {}).get("Retries") or RETRIES
    if health.get("FailingStreak", 0) < retries:
        return []
    return [f"its health check: {look['Output'].strip()}" for look in health.get("Log") or () if look["ExitCode"]][-1:]
