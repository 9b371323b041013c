"""A world for the Compose driver: a compose file as people write them, images of several versions, and the real engine.

All that it starts bears the prefix, by which the fixture of the engine removes it.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxyswitch import settings
from proxyswitch.drivers.base import Context
from proxyswitch.drivers.compose.driver import Compose
from proxyswitch.drivers.compose.scaled import Scaled
from proxyswitch.model import Endpoint, Slot
from proxyswitch.polling import until
from tests.e2e.shop import toml
from tests.ports import free_port
from tests.runners.docker import Docker

SLOTS = """\
version: "3.8"
services:
  db:
    image: {prefix}:1
    command: ["sleep", "1000"]
  app-blue:
    image: {prefix}:${{APP_VERSION:-1}}
    profiles: [web]
    depends_on: [db]
    environment:
      SLOT: blue
      SECRET: ${{SECRET:-none}}
    ports: ["127.0.0.1:{blue}:8000"]
  app-green:
    image: {prefix}:${{APP_VERSION:-1}}
    profiles: [web]
    depends_on: [db]
    environment:
      SLOT: green
    ports: ["127.0.0.1:{green}:8000"]
"""
SCALED = """\
version: "3.8"
services:
  db:
    image: {prefix}:1
    command: ["sleep", "1000"]
  app:
    image: {prefix}:${{APP_VERSION:-1}}
    profiles: [web]
    ports: ["127.0.0.1::8000"]
"""


@dataclass
class ComposeWorld:
    """One folder with a compose file, in one project. `images`: where they are, if not under the prefix."""

    docker: Docker
    prefix: str
    folder: Path
    program: list[str]
    blue: int = field(default_factory=free_port)
    green: int = field(default_factory=free_port)
    said: list[str] = field(default_factory=list)
    images: str = ""

    @property
    def file(self) -> Path:
        return self.folder / "docker-compose.yml"

    @property
    def state(self) -> Path:
        return self.folder / "state/web"

    def write(self, text: str = SLOTS, *changes: tuple[str, str]) -> None:
        text = text.format(prefix=self.images or self.prefix, blue=self.blue, green=self.green)
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        self.file.write_text(text)

    def image(self, version: str, broken: str = "", **more: Any) -> str:
        return self.docker.image(f"{self.prefix}:{version}", version, broken, **more)

    def compose(self, *words: str) -> str:
        """What a person would type, with Compose 2: the two know each other's containers by their labels."""
        return self.docker.run("compose", "-p", self.prefix, "-f", str(self.file), *words)

    def context(self, slots: dict[str, str] | None = None, **table: Any) -> Context:
        places = slots or {"blue": f"127.0.0.1:{self.blue}", "green": f"127.0.0.1:{self.green}"}
        service = "app-{slot}" if len(places) > 1 else "app"
        table = {"service": service, "project": self.prefix, "program": " ".join(self.program), **table}
        health = f"health = {toml(table.pop('health'))}\n" if "health" in table else ""
        text = f"[apps.web]\npool = 'app_backend'\nslots = {toml(places)}\ncompose = {toml(table)}\n{health}"
        app = settings.parse(text.encode(), str(self.folder / "proxyswitch.toml")).app("web")
        return Context("web", app, self.state, self.said.append)

    def driver(self, **table: Any) -> Compose:
        """A new driver, as a new run of the program has it."""
        return Compose(self.context(**table))

    def scaled(self, **table: Any) -> Scaled:
        return Scaled(self.context({"main": "auto"}, **table))

    def slot(self, place: str = "blue", name: str = "") -> Slot:
        """The slot of that name; or another, which has its address."""
        return Slot(name or place, Endpoint("127.0.0.1", getattr(self, place)))

    def containers(self, service: str = "app-blue") -> list[dict[str, Any]]:
        """All of a service, as Docker describes them; the newest first."""
        named = ("--filter", f"label=com.docker.compose.project={self.prefix}")

        def look() -> list[dict[str, Any]] | None:
            ids = self.docker.run("ps", "-aq", *named, "--filter", f"label=com.docker.compose.service={service}").split()
            with contextlib.suppress(AssertionError):  # one of them may be gone by now
                found: list[dict[str, Any]] = json.loads(self.docker.run("inspect", *ids)) if ids else []
                return found
            return None

        seen = until(look, 10)
        assert seen is not None
        return sorted(seen, key=lambda c: str(c["Created"]), reverse=True)


MAIN = Slot("main", Endpoint())


def version(place: Endpoint) -> str:
    """Which version answers there."""
    with urllib.request.urlopen(f"http://{place}/", timeout=10) as reply:
        return str(json.loads(reply.read())["version"])
