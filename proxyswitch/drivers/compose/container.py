"""Containers of a compose service, read from what `docker inspect` prints."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from proxyswitch.drivers._docker import attempt, docker, done, reach
from proxyswitch.errors import UsageError
from proxyswitch.model import Endpoint, Health, ProcessId
from proxyswitch.system import clock, proc

COMPOSE = "com.docker.compose"
VERSION = "proxyswitch.version"
ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104  # where a published port listens, not where we do
HERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # the ports of the two kinds may differ
UNSTABLE = 10.0  # seconds: after so long Docker itself takes a restart for a good one
KILLED = 137


@dataclass(frozen=True, slots=True)
class Container:
    """One container, as the engine describes it."""

    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.raw["Id"])

    @property
    def name(self) -> str:
        return str(self.raw["Name"]).lstrip("/")

    @property
    def image(self) -> str:
        """The ID of its image: exactly what runs."""
        return str(self.raw["Image"])

    @property
    def labels(self) -> Mapping[str, str]:
        return self.raw["Config"]["Labels"] or {}

    @property
    def ours(self) -> bool:
        return VERSION in self.labels

    @property
    def version(self) -> str:
        """As we were told; of a container that somebody else started, the tag of its image."""
        image = str(self.raw["Config"]["Image"])
        tag = "" if image.startswith("sha256:") else image.rpartition("/")[2].partition("@")[0].partition(":")[2]
        return self.labels.get(VERSION, tag)

    @property
    def state(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.raw["State"]
        return found

    @property
    def up(self) -> bool:
        """It has a process, or the engine will start it again of its own accord."""
        return bool(self.state["Running"] or self.state["Restarting"])

    @property
    def runs(self) -> bool:
        """It is up, and not just between two crashes."""
        unstable = self.raw["RestartCount"] and clock.wall() - self.since < UNSTABLE
        return bool(self.state["Running"] and not self.state["Restarting"] and not unstable)

    @property
    def since(self) -> float:
        return _moment(self.state["StartedAt"])

    @property
    def made(self) -> float:
        return _moment(self.raw["Created"])

    @property
    def health(self) -> Health:
        told = (self.state.get("Health") or {}).get("Status", "none")
        return Health(told) if told in set(Health) else Health.UNKNOWN

    @property
    def process(self) -> ProcessId | None:
        """Its first process, where it runs on this machine and can be seen from here."""
        found = proc.identify(self.state["Pid"]) if self.state["Pid"] else None
        return found if found and self.id in proc.cgroup(found.pid) else None

    @property
    def grace(self) -> float:
        """How long its own settings let it take to end."""
        return float(self.raw["Config"].get("StopTimeout") or 10)

    @property
    def always(self) -> bool:
        """A start of the engine would bring it up although it was stopped."""
        return bool(self.raw["HostConfig"]["RestartPolicy"]["Name"] == "always")

    def listens(self, place: Endpoint) -> bool:
        """True where its settings publish that address, or it needs no publishing for it."""
        return self.direct(place) or any(
            binding["HostPort"] == str(place.port) and reaches(binding["HostIp"], place.host)
            for binding in self._wanted_bindings()
        )

    def direct(self, place: Endpoint) -> bool:
        """True where a connection to that address is one to the app, and not to Docker, which answers at once."""
        return bool(place.path) or self.raw["HostConfig"]["NetworkMode"] == "host" or place.host in self._names()

    def _wanted_bindings(self) -> list[Mapping[str, str]]:
        ports = self.raw["HostConfig"]["PortBindings"] or {}
        return [binding for bindings in ports.values() for binding in bindings or ()]

    @property
    def published(self) -> str:
        """The addresses that its settings publish, in words."""
        found = (f"{b['HostIp'] or '*'}:{b['HostPort']}" for b in self._wanted_bindings())
        return ", ".join(found) or "no port"

    def endpoint(self, port: int | None) -> Endpoint | None:
        """Where it listens: the published port, else its own address. `port` is the one in the container."""
        found = list(self._published(port))
        if found:
            return min(found, key=lambda e: (":" in e.host, e.port))
        host = next(iter(self._hosts()), "")
        return Endpoint(host, port) if host and port else None

    def _published(self, port: int | None) -> Iterator[Endpoint]:
        for inside, bindings in (self.raw["NetworkSettings"]["Ports"] or {}).items():
            if port in (None, int(inside.partition("/")[0])):
                for binding in bindings or ():
                    host = binding["HostIp"]
                    yield Endpoint(HERE.get(host, host), int(binding["HostPort"]))

    def _names(self) -> list[str]:
        """By what it is reached in Docker's networks."""
        networks = self.raw["NetworkSettings"]["Networks"] or {}
        return [*self._hosts(), self.name, *(alias for network in networks.values() for alias in network["Aliases"] or ())]

    def _hosts(self) -> list[str]:
        """Its own addresses in Docker's networks."""
        networks = self.raw["NetworkSettings"]["Networks"] or {}
        return [network["IPAddress"] for network in networks.values() if network["IPAddress"]]

    def fate(self) -> str:
        """What became of it, in words."""
        state = self.state
        if self.up and not self.raw["RestartCount"]:
            return f"is {state['Status']}{f', and {self.health}' if self.health != Health.UNKNOWN else ''}"
        why = " for want of memory" if state["OOMKilled"] else ""
        times = self.raw["RestartCount"]
        again = f"; Docker has started it again {times} time{'s' if times > 1 else ''}" if times else ""
        said = f": {state['Error']}" if state["Error"] else ""
        return f"ended with status {state['ExitCode']}{why}{again}{said}"

    def check_said(self) -> list[str]:
        """What its own health check printed last, if that found it ill."""
        log = (self.state.get("Health") or {}).get("Log") or []
        said = log[-1]["Output"].strip().splitlines() if log and log[-1]["ExitCode"] else []
        return [f"its health check: {line}" for line in said[-2:]]


def reaches(bound: str, host: str) -> bool:
    """True where what is published at one address of this machine is found at the other."""
    return bound in (*ANYWHERE, host) or (host == "localhost" and bound in ("127.0.0.1", "::1"))


def is_local(host: str) -> bool:
    """True for this machine itself; not for a name, or an address, in one of Docker's networks."""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _moment(text: str) -> float:
    """Seconds since 1970 of one of Docker's times."""
    return datetime.fromisoformat(text).timestamp()


def find(service: str, folder: str, project: str) -> list[Container]:
    """The containers of a service of the compose project in that folder, the newest first. Raises UsageError, Failed."""
    labels = {"service": service, "oneoff": "False"} | ({"project": project} if project else {})
    filters = (word for key, value in labels.items() for word in ("--filter", f"label={COMPOSE}.{key}={value}"))
    ids = done(docker("ps", "-aq", "--no-trunc", *filters)).split()
    found = [c for c in inspect(ids) if os.path.realpath(c.labels.get(f"{COMPOSE}.project.working_dir", folder)) == folder]
    projects = sorted({c.labels[f"{COMPOSE}.project"] for c in found})
    if len(projects) > 1:
        raise UsageError(
            f"{folder} is the folder of {len(projects)} compose projects with a service {service}: {', '.join(projects)}",
            next_step="say which one: project = in the table compose",
        )
    return sorted(found, key=lambda container: container.made, reverse=True)


def inspect(ids: list[str]) -> list[Container]:
    """Those of them that are there."""
    if not ids:
        return []
    result = attempt(docker("container", "inspect", *ids))
    if not result.ok:  # one is gone; or nobody answered
        reach()
    return [Container(raw) for raw in json.loads(result.out or "[]")]
