"""A service of the test app in a real swarm, with versions, and the way to it from outside."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxyswitch import settings
from proxyswitch.drivers.base import Context
from proxyswitch.drivers.swarm.driver import Swarm
from proxyswitch.model import Slot
from proxyswitch.polling import Report, silent
from tests.runners.docker import Docker

QUICK = 'update = { monitor = "300ms" }\nrollback = { monitor = "300ms", parallelism = 0 }'


@dataclass
class Service:
    """One service. Versions are images `NAME:V`; a fault of the app is made with `put`."""

    docker: Docker
    name: str
    folder: Path
    table: str = QUICK
    pool: str = ""
    lines: list[str] = field(default_factory=list)

    def create(self, *flags: str, replicas: int = 0, image: str = "") -> None:
        """Make the service; with 0 tasks, as for a first release."""
        publish = () if any(word.startswith("mode=") for word in flags) else ("--publish", "mode=host,target=8000")
        made = ("service", "create", "--detach", "--no-resolve-image", "--name", self.name, "--replicas", str(replicas))
        self.docker.run(*made, "--rollback-monitor", "300ms", *publish, *flags, image or f"{self.name}:v1")

    def put(self, version: str, broken: str = "") -> None:
        self.docker.image(f"{self.name}:{version}", version, broken, health="100ms")

    @property
    def toml(self) -> str:
        pool = f'pool = "{self.pool}"\nproxy = "haproxy"\n' if self.pool else ""
        return (
            f'[apps.web]\n{pool}slots = {{ main = "auto" }}\nwatch = "500ms"\ndrain = "5s"\n'
            f'[apps.web.swarm]\nservice = "{self.name}"\nimage = "{self.name}:{{version}}"\n'
            f"resolve_image = false\n{self.table}\n"
        )

    def driver(self, report: Report = silent) -> Swarm:
        """As a new run of the program has it."""
        app = settings.parse(self.toml.encode(), "proxyswitch.toml").app("web")
        return Swarm(Context("web", app, self.folder / "state/apps/web", report))

    @property
    def slot(self) -> Slot:
        return settings.parse(self.toml.encode(), "proxyswitch.toml").app("web").places[0]

    def versions(self) -> set[str]:
        """What the tasks that serve answer, each by its own port."""
        there = self.driver().status(self.slot)
        return {self.answer(str(endpoint)) for endpoint in there.endpoints} if there else set()

    def version(self) -> str:
        """The one version of all tasks."""
        return "+".join(sorted(self.versions()))

    def answer(self, address: str) -> str:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=5) as reply:
                return str(json.loads(reply.read())["version"])
        except OSError:
            return "none"

    def inspect(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.docker.run("service", "inspect", self.name))[0]
        return found


@contextmanager
def service(docker: Docker, folder: Path, versions: tuple[str, ...] = ()) -> Iterator[Service]:
    """A service that is removed at the end, with its images; these versions are put."""
    with docker.prefixed() as name:
        made = Service(docker, name, folder)
        for version in versions:
            made.put(version)
        yield made
