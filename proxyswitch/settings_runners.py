"""The tables of the app runners, one each; and which runner works how."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, field

from proxyswitch.settings_base import Command, Local, Runner, Seconds, Section, local, seconds
from proxyswitch.settings_pm2 import Pm2

# Those that run a version beside the other, and those that replace a running version themselves, in place. The rest does
# both: in place where the app has one slot.
BESIDE = frozenset({"process"})
IN_PLACE = frozenset({"gunicorn", "swarm"})
# Those that end the old version of their own accord, as the new one comes up: the pool has to follow meanwhile.
MOVES_ITSELF = frozenset({"swarm"})

UNIT_TYPES = ("automount", "device", "mount", "path", "scope", "slice", "socket", "swap", "target", "timer")


def _one_of(key: str, value: str, known: tuple[str, ...]) -> Iterator[str]:
    if value not in known:
        yield f"{key}: {value!r} is not known; there is {' and '.join(known)}"


class Process(Runner, frozen=True):
    """The process driver: the app is a detached process group that we start and stop."""

    command: Command
    cwd: Local = local(".")
    user: str = ""
    umask: Annotated[str, Meta(pattern="^[0-7]{3,4}$")] = ""
    env: dict[str, str] = field(default_factory=dict)
    log_dir: Local = local()
    log_keep: Annotated[int, Meta(ge=1)] = 5
    stop_signal: str = "TERM"
    grace: Seconds = seconds(10)
    adopt_port: bool = False

    def problems(self, slots: tuple[str, ...]) -> Iterator[str]:  # noqa: ARG002
        if not self.command:
            yield "command: must not be empty"


class Systemd(Runner, frozen=True):
    """The systemd driver: the app is a unit, or one a slot."""

    unit: str
    scope: str = "system"
    env: dict[str, str] = field(default_factory=dict)
    environment_file: Local = local()
    current: Local = local()
    release: Local = local()
    reload: str = "reload"
    enable: bool = False
    start_timeout: Seconds = seconds(100)
    stop_timeout: Seconds = seconds(100)

    def problems(self, slots: tuple[str, ...]) -> Iterator[str]:
        yield from _one_of("scope", self.scope, ("system", "user"))
        yield from _one_of("reload", self.reload, ("reload", "try-restart"))
        if not re.fullmatch(r"(?:[A-Za-z0-9:_.@\\-]|\{slot\}|\{port\})+", self.unit):
            yield f"unit: {self.unit!r} is no name of a unit, as web, web.service or web@{{slot}}"
        elif self.unit.rpartition(".")[2] in UNIT_TYPES:
            yield f"unit: {self.unit!r} is no service: only these can be released"
        yield from self._shared(slots)
        yield from (f"env.{key}: is no name of a variable" for key in self.env if not re.fullmatch(r"[A-Za-z_]\w*", key))
        if bool(self.current) != bool(self.release):
            yield "current: the link, and release, the folder that it leads to, go together"
        elif self.release and "{version}" not in self.release:
            yield "release: must contain {version}: each version has a folder of its own"

    def _shared(self, slots: tuple[str, ...]) -> Iterator[str]:
        for key in ("unit", "environment_file", "current"):
            text: str = getattr(self, key)
            if "{version}" in text:
                yield f"{key}: must not contain {{version}}: it is the same for all versions"
            if text and len(slots) > 1 and "{slot}" not in text and "{port}" not in text:
                yield f"{key}: must contain {{slot}}: the app has {len(slots)} slots, and each needs its own"


class Gunicorn(Runner, frozen=True):
    """The gunicorn driver: its master replaces the workers in place."""

    command: list[str]
    current: Local
    release: str
    method: str = ""
    pidfile: Local = local()
    cwd: Local = local()
    user: str = ""
    env: dict[str, str] = field(default_factory=dict)
    env_file: Local = local()
    log: Local = local()
    unit: str = ""
    scope: str = "system"
    start_timeout: Seconds = seconds(60)
    grace: Seconds = seconds(35)

    @property
    def way(self) -> str:
        """How a running version is replaced."""
        return self.method or ("hup" if self.unit else "usr2")

    def problems(self, slots: tuple[str, ...]) -> Iterator[str]:  # noqa: ARG002
        if not self.command:
            yield "command: must not be empty"
        if any("{version}" in word for word in (*self.command, self.cwd)):
            yield "command: a master keeps its words for life: name the release by the link `current`, not by {version}"
        if self.release.count("{version}") != 1:
            yield 'release: must contain {version} once, as "releases/{version}"'
        if self.method not in ("", "usr2", "hup"):
            yield f"method: {self.method!r} is not known; known: hup, usr2"
        elif self.unit and self.way == "usr2":
            yield 'method: systemd knows one main process, and usr2 makes a second master: remove this key, or write "hup"'
        yield from _one_of("scope", self.scope, ("system", "user"))
        if any("\n" in value for value in self.env.values()):
            yield "env: a value must not have several lines"


COMPOSE = ("auto", "docker compose", "docker-compose")


class Compose(Runner, frozen=True):
    """The Compose driver: the app is a service of a compose file, or one a slot."""

    service: str
    files: list[Local] = field(default_factory=lambda: [Local(".")])
    project: str = ""
    program: str = "auto"
    image: str = ""
    build: bool = False
    pull: bool = False
    env: dict[str, str] = field(default_factory=dict)
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    grace: Seconds | None = None
    timeout: Seconds = seconds(600)

    def problems(self, slots: tuple[str, ...]) -> Iterator[str]:
        yield from _one_of("program", self.program, COMPOSE)
        if not self.service or "{version}" in self.service:
            yield "service: must be the name of a service of the compose file, the same for all versions"
        elif len(slots) > 1 and "{slot}" not in self.service:
            yield f"service: must contain {{slot}}: the app has {len(slots)} slots, and each needs its own"
        if self.image and "{version}" not in self.image:
            yield 'image: must contain {version}, as "shop:{version}"'
        if not self.files:
            yield "files: at least one is needed: a compose file, or the folder that it is in"
        if self.build and self.pull:
            yield "pull: an image is built or pulled, not both: remove one of the two"


ORDERS = ("start-first", "stop-first")
Share = Annotated[float, Meta(ge=0, le=1)]


class Rollout(Section, frozen=True):
    """How Swarm goes from one version to another. What is not set stays as the service has it."""

    parallelism: Annotated[int, Meta(ge=0)] | None = None
    delay: Seconds | None = None
    order: str = "start-first"
    monitor: Seconds | None = None
    max_failure_ratio: Share | None = None
    failure_action: str = ""


class SwarmUpdate(Rollout, frozen=True):
    """To a new version."""

    failure_action: str = "rollback"


class SwarmRollback(Rollout, frozen=True):
    """Back to the version before."""


class Swarm(Runner, frozen=True):
    """The Swarm driver: the app is a service of a Docker swarm, which replaces its tasks one after the other."""

    service: str
    image: str
    env: dict[str, str] = field(default_factory=dict)
    replicas: Annotated[int, Meta(ge=1)] | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    update: SwarmUpdate = field(default_factory=SwarmUpdate)
    rollback: SwarmRollback = field(default_factory=SwarmRollback)
    timeout: Seconds = seconds(600)
    host: str = ""
    context: str = ""
    resolve_image: bool = True
    with_registry_auth: bool = False

    def problems(self, slots: tuple[str, ...]) -> Iterator[str]:  # noqa: ARG002
        for key in ("service", "image"):
            if not getattr(self, key):
                yield f"{key}: must not be empty"
        if self.host and self.context:
            yield "context: host names the engine already: remove one of the two"
        for name, way, actions in (
            ("update", self.update, ("pause", "continue", "rollback")),
            ("rollback", self.rollback, ("", "pause", "continue")),
        ):
            if way.order not in ORDERS:
                yield f"{name}.order: expected {' or '.join(ORDERS)}"
            if way.failure_action not in actions:
                yield f"{name}.failure_action: expected {', '.join(filter(None, actions))}"


class Commands(Runner, frozen=True):
    """The command driver: the app is started and stopped by commands of the person's own."""

    start: Command
    stop: Command
    status: Command
    reload: Command | None = None
    revert: Command | None = None
    confirm: Command | None = None
    check: Command | None = None
    logs: Command | None = None
    cwd: Local = local(".")
    env: dict[str, str] = field(default_factory=dict)
    start_timeout: Seconds = seconds(60)
    stop_timeout: Seconds = seconds(60)
    status_timeout: Seconds = seconds(10)

    def problems(self, slots: tuple[str, ...]) -> Iterator[str]:
        for name in ("start", "stop", "status", "reload", "revert", "confirm", "check", "logs"):
            if getattr(self, name) in ("", []):
                yield f"{name}: must not be empty"
        if len(slots) == 1 and self.reload is None:
            yield "reload: this key is required with one slot: it replaces the running version"


RUNNERS: dict[str, type[Runner]] = {
    "command": Commands,
    "compose": Compose,
    "gunicorn": Gunicorn,
    "pm2": Pm2,
    "process": Process,
    "swarm": Swarm,
    "systemd": Systemd,
}
