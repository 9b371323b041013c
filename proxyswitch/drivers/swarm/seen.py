"""A service with its tasks, in one look: who serves, where, and whether all is settled. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from proxyswitch.drivers.swarm.values import UPDATING, Build, Service, Task
from proxyswitch.model import Endpoint


@dataclass(frozen=True)
class Seen:
    """One look: the service, its tasks, and the addresses of the nodes that they run on."""

    service: Service
    tasks: tuple[Task, ...]
    addresses: Mapping[str, str]
    port: int | None = None

    @property
    def serving(self) -> list[Task]:
        return [task for task in self.tasks if task.serves]

    @property
    def count(self) -> int:
        """How many tasks there should be. On every node: those that Swarm has made."""
        found = self.service.replicas
        return len({task.node for task in self.tasks if task.wanted}) if found is None else found

    @property
    def settled(self) -> bool:
        """All that should run do so, all of the service's build, and can be reached; nothing else is to come."""
        wanted = [task for task in self.tasks if task.wanted]
        ready = all(task.serves and task.build == self.service.build and self._reached(task) for task in wanted)
        return ready and len(wanted) == self.count and self.service.update not in UPDATING

    def _reached(self, task: Task) -> bool:
        return not self.service.host_ports or task.published(self.port) is not None

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where the tasks listen that serve now."""
        places = ((self.addresses.get(task.node, ""), task) for task in self.serving)
        found = ((host, task.published(self.port, v6=":" in host)) for host, task in places if host)
        return tuple(sorted({Endpoint(host, port) for host, port in found if port}, key=str))

    @property
    def failures(self) -> list[Task]:
        """Tasks of the service as it is now that failed, the last first."""
        return newest(t for t in self.tasks if t.failed and t.build == self.service.build)


def newest(tasks: Iterable[Task]) -> list[Task]:
    return sorted(tasks, key=lambda task: task.made, reverse=True)


def version_of(build: Build, template: str) -> str:
    """The version that a task is of: in its image, as the template says, else in its environment, else the image's tag."""
    image = build.image.partition("@")[0]
    pattern = re.escape(template).replace(re.escape("{version}"), "(?P<version>.+)", 1)
    found = re.fullmatch(pattern, image) if "{version}" in template else None
    return found["version"] if found else build.version or image.rpartition("/")[2].partition(":")[2]
