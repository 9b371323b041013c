"""A service of Swarm and its tasks, read from what `docker inspect` prints. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

# A task goes through these, then it runs, then it has ended one way or the other.
COMING = frozenset({"new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting"})
UPDATING = frozenset({"updating", "rollback_started"})
PAUSED = frozenset({"paused", "rollback_paused"})
KILLED = 137  # the exit status of what SIGKILL has ended


@dataclass(frozen=True)
class Build:
    """What a task is made of: its image, what APP_VERSION says, and how often the service had been forced to update."""

    image: str
    version: str
    force: int


def _build(template: Mapping[str, Any]) -> Build:
    container = template["ContainerSpec"]
    env = dict(line.partition("=")[::2] for line in container.get("Env") or ())
    return Build(container["Image"], env.get("APP_VERSION", ""), template.get("ForceUpdate", 0))


@dataclass(frozen=True)
class Service:
    """A service as its manager has it."""

    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.raw["ID"])

    @cached_property
    def build(self) -> Build:
        return _build(self.raw["Spec"]["TaskTemplate"])

    @property
    def mark(self) -> str:
        """The same for a specification that makes the same tasks."""
        return _mark(self.raw["Spec"])

    @property
    def mark_before(self) -> str:
        """The mark of what `--rollback` would go back to; empty where there is nothing."""
        before = self.raw.get("PreviousSpec")
        return _mark(before) if before else ""

    @property
    def previous(self) -> Build | None:
        """What `--rollback` would bring; None where there is nothing, or where it would change the number of tasks too."""
        before = self.raw.get("PreviousSpec")
        return _build(before["TaskTemplate"]) if before and _replicas(before) == self.replicas else None

    @property
    def replicas(self) -> int | None:
        """None for a service that runs on every node."""
        return _replicas(self.raw["Spec"])

    @property
    def update(self) -> str:
        """The state of the last update: updating, completed, paused, rollback_started …; empty where none was made."""
        return str((self.raw.get("UpdateStatus") or {}).get("State", ""))

    @property
    def told(self) -> str:
        """What Swarm says of the last update."""
        return str((self.raw.get("UpdateStatus") or {}).get("Message", ""))

    @property
    def ports(self) -> list[Mapping[str, Any]]:
        """What is published."""
        return list((self.raw["Spec"].get("EndpointSpec") or {}).get("Ports") or ())

    @property
    def host_ports(self) -> set[int]:
        """The ports in a container that each task publishes on its own node."""
        return {port["TargetPort"] for port in self.ports if port.get("PublishMode") == "host"}

    @property
    def fixed_ports(self) -> list[int]:
        """Ports of a node that each task needs for itself alone."""
        found = (port.get("PublishedPort", 0) for port in self.ports if port.get("PublishMode") == "host")
        return sorted({port for port in found if port})

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        return float(self._container.get("StopGracePeriod") or 10_000_000_000) / 1e9

    @property
    def parallelism(self) -> int:
        """How many tasks are replaced at a time; 0: all."""
        return int(self._update.get("Parallelism", 1))

    @property
    def delay(self) -> float:
        """Seconds from one task to the next in an update."""
        return float(self._update.get("Delay", 0)) / 1e9

    @property
    def _update(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.raw["Spec"].get("UpdateConfig") or {}
        return found

    @property
    def checked(self) -> bool:
        """True where the service brings a health check of its own."""
        return (self._container.get("Healthcheck") or {}).get("Test", ["NONE"])[:1] not in ([], ["NONE"])

    @property
    def _container(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.raw["Spec"]["TaskTemplate"]["ContainerSpec"]
        return found


def _replicas(spec: Mapping[str, Any]) -> int | None:
    replicated = spec["Mode"].get("Replicated")
    return None if replicated is None else int(replicated.get("Replicas", 0))


def _mark(spec: Mapping[str, Any]) -> str:
    template = spec["TaskTemplate"]
    container = template["ContainerSpec"]
    facts = [container["Image"], sorted(container.get("Env") or ()), template.get("ForceUpdate", 0)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@dataclass(frozen=True)
class Task:
    """One task: a container on some node."""

    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.raw["ID"])

    @property
    def node(self) -> str:
        return str(self.raw.get("NodeID", ""))

    @property
    def state(self) -> str:
        return str(self.raw["Status"]["State"])

    @cached_property
    def build(self) -> Build:
        return _build(self.raw["Spec"])

    @property
    def error(self) -> str:
        return str(self.raw["Status"].get("Err", ""))

    @property
    def exit(self) -> int:
        return int(self._container.get("ExitCode", 0))

    @property
    def container(self) -> str:
        return str(self._container.get("ContainerID", ""))

    @property
    def since(self) -> float:
        return moment(self.raw["Status"]["Timestamp"])

    @property
    def made(self) -> float:
        return moment(self.raw["CreatedAt"])

    @property
    def wanted(self) -> bool:
        return self.raw["DesiredState"] in ("running", "ready")

    @property
    def serves(self) -> bool:
        """It runs, is healthy if it has a check, and is not asked to end."""
        return self.raw["DesiredState"] == "running" and self.state == "running"

    @property
    def leaves(self) -> bool:
        """It is asked to end, and has not yet."""
        return not self.wanted and self.state in COMING | {"running"}

    @property
    def failed(self) -> bool:
        """It ended by itself, or could not begin."""
        return self.state in ("failed", "rejected", "complete")

    def published(self, target: int | None, *, v6: bool = False) -> int | None:
        """The port of its node that leads to it, by TCP; `target` is the port in its container.

        Docker may have taken two for one, the first for IPv4 and the next for IPv6, and does not say which is which. At an
        address of the other kind it leads nowhere, or to somebody else's container.
        """
        ports = (self.raw["Status"].get("PortStatus") or {}).get("Ports") or ()
        tcp = (port for port in ports if port.get("Protocol", "tcp") == "tcp")
        found = [int(port["PublishedPort"]) for port in tcp if target in (None, port["TargetPort"])]
        return found[-1 if v6 else 0] if found else None

    def ending(self) -> str:
        """Why it failed, in words."""
        how = self.error or f"it ended with status {self.exit} although it should run: by itself, or found unhealthy"
        return f"task {self.id[:12]}: {how}"

    @property
    def _container(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.raw["Status"].get("ContainerStatus") or {}
        return found


def moment(text: str) -> float:
    """Seconds since 1970 of one of Docker's times, which have nanoseconds."""
    return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text).replace("Z", "+00:00")).timestamp()
