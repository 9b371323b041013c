"""The commands of Docker that the Swarm driver runs, as argv values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from proxyswitch.settings_runners import Rollout, Swarm

Argv = tuple[str, ...]


def docker(settings: Swarm) -> Argv:
    """The client, and which engine it talks to; without one in the settings DOCKER_HOST or its own context says it."""
    if settings.host:
        return ("docker", "--host", settings.host)
    return ("docker", "--context", settings.context) if settings.context else ("docker",)


def release(settings: Swarm, image: str, env: Mapping[str, str]) -> Argv:
    """Go to an image. `--force`: also where it is the one that runs, so that there is an update to follow."""
    return (
        *("service", "update", "--detach", "--force"),
        *_rollout("update", settings.update),
        *_rollout("rollback", settings.rollback),
        *(word for key, value in sorted(env.items()) for word in ("--env-add", f"{key}={value}")),
        *(() if settings.resolve_image else ("--no-resolve-image",)),
        *(("--with-registry-auth",) if settings.with_registry_auth else ()),
        *("--image", image),
    )


def _rollout(kind: str, way: Rollout) -> Iterator[str]:
    """The flags of one direction; durations in whole milliseconds."""
    flags = {
        "parallelism": way.parallelism,
        "delay": None if way.delay is None else f"{round(way.delay * 1000)}ms",
        "order": way.order,
        "monitor": None if way.monitor is None else f"{round(way.monitor * 1000)}ms",
        "max-failure-ratio": way.max_failure_ratio,
        "failure-action": way.failure_action or None,
    }
    for flag, value in flags.items():
        if value is not None:
            yield f"--{kind}-{flag}"
            yield str(value)


def started(settings: Swarm, image: str, env: Mapping[str, str], replicas: int | None = None) -> Argv:
    """A service that stands at 0 runs that image. None: as many as it has."""
    return (*release(settings, image, env), *(() if replicas is None else ("--replicas", str(replicas))), settings.service)


def back(settings: Swarm) -> Argv:
    """To the specification before the last update. Docker takes no other flag with it."""
    return ("service", "update", "--detach", "--rollback", settings.service)


def scaled(settings: Swarm, replicas: int) -> Argv:
    return ("service", "scale", "--detach", f"{settings.service}={replicas}")


def logs(task_or_service: str, lines: int) -> Argv:
    """With times first, by which lines of several tasks are put in order."""
    return ("service", "logs", "--raw", "--timestamps", "--no-trunc", "--tail", str(lines), task_or_service)
