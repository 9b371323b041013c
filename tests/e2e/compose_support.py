"""An app of two services of a compose file behind a bench's proxy, and what tests of its releases ask.

The tag of an image picks the fault: see FAULTS. All images and containers bear the prefix, by which they are removed.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from tests.drivers.compose_world import SLOTS, ComposeWorld
from tests.e2e.shop import Shop, toml
from tests.e2e.support import LIMIT, Bench, Run, bench
from tests.generate.support import files
from tests.runners.docker import COMPOSE2, Docker

FAULTS = {
    "2-exits": "exit",
    "2-never": "never-ready",
    "2-dies": "dies-after:2",
    "2-deaf": "deaf",
}

DB = """\
services:
  db:
    image: {prefix}:1
    command: ["sleep", "1000"]
"""


@dataclass
class ComposeShop(Shop):
    """The app `web`: the services app-blue and app-green, whose images are PREFIX:VERSION."""

    docker: Docker = field(default_factory=Docker)
    prefix: str = ""

    @cached_property
    def world(self) -> ComposeWorld:
        return ComposeWorld(self.docker, self.prefix, self.bench.folder, COMPOSE2, self.blue, self.green)

    def images(self, *versions: str) -> None:
        for version in versions:
            self.world.image(version, FAULTS.get(version, ""))

    def configure(self, hooks: Mapping[str, object] | None = None, **changes: Any) -> None:
        """Write proxyswitch.toml; `changes` to the app, or to its table compose, by their key."""
        proxy: dict[str, object] = {"conf": str(self.bench.conf)}
        table: dict[str, object] = {"service": "app-{slot}", "project": self.prefix, "image": f"{self.prefix}:{{version}}"}
        app: dict[str, object] = {
            "pool": "app_backend",
            "proxy": self.proxy,
            "slots": {"blue": f"127.0.0.1:{self.blue}", "green": f"127.0.0.1:{self.green}"},
            "drain": "20s",
            "watch": "200ms",
        }
        for key, value in changes.items():
            target = table if key in ("service", "image", "build", "env", "grace", "timeout", "files", "program") else app
            target[key] = value
        app |= {"compose": table, "hooks": dict(hooks or {})}
        text = "".join(f"{key} = {toml(value)}\n" for key, value in app.items())
        self.settings.write_text(f"{self.proxy} = {toml(proxy)}\n\n[apps.web]\n{text}")
        self.bench.own()

    def generate(self, *words: str) -> None:
        """Put what `generate compose` makes of the settings in place of the compose file; db goes into one over it."""
        made = files(f"compose --app web --config {self.settings} --probe python", *words)
        self.world.file.write_text(made["compose.yaml"])
        self.world.file.with_name("docker-compose.override.yml").write_text(DB.format(prefix=self.prefix))
        self.bench.own()

    def run(self, *words: str, env: dict[str, str] | None = None) -> Run:
        return self.bench.run(*words, env={**self.docker.env, **(env or {})})

    def spawn(self, version: str, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        words = ("deploy", "web", "--version", version, *words)
        self.commands.append(self.bench.spawn(*words, env={**self.docker.env, **(env or {})}))
        return self.commands[-1]

    def instances(self) -> dict[str, str]:
        """The version that runs in each slot, as Docker says; slots with none are left out."""
        found = {}
        for slot in ("blue", "green"):
            running = [c for c in self.world.containers(f"app-{slot}") if c["State"]["Running"]]
            if running:
                found[slot] = str(running[0]["Config"]["Labels"]["proxyswitch.version"])
        return found

    def others(self) -> list[tuple[str, str, int]]:
        """What nobody may touch: the other services, by their container, start and process."""
        return [(c["Id"], c["State"]["StartedAt"], c["State"]["Pid"]) for c in self.world.containers("db")]


@contextmanager
def compose_shop(
    docker: Docker, prefix: str, place: Bench, proxy: str = "nginx", kind: type[ComposeShop] = ComposeShop
) -> Iterator[ComposeShop]:
    """The compose file, the settings, the service db; the proxy is the caller's."""
    made = kind(place, proxy=proxy, docker=docker, prefix=prefix)
    made.images("1", "2")
    made.world.write(SLOTS)
    made.world.compose("up", "-d", "db")
    made.configure()
    try:
        yield made
    finally:
        made.close()


@contextmanager
def nginx_shop(docker: Docker, prefix: str, folder: Path) -> Iterator[ComposeShop]:
    """Version 1 is live in slot blue, behind an nginx."""
    with bench(folder) as place, compose_shop(docker, prefix, place) as made:
        place.write(made.blue)
        place.start()
        started = made.run("start", "web:blue", "--version", "1")
        assert started.code == 0, started.err
        yield made


def ten_releases(web: ComposeShop, mode: str) -> None:
    """Under a load that tries nothing again: none of its requests fails, and no other service is touched."""
    kinds = {"keepalive": 2, "closing": 1, "idle": 2, "long": 1, "uploads": 1}
    others = web.others()
    with Load(Endpoint("127.0.0.1", web.bench.port), **kinds, long_seconds=0.5) as load:
        for number in range(2, 12):
            assert web.deploy(str(number), "--json").json["mode"] == mode
            assert web.instances() == {web.live(): str(number)}
    seen = load.stop()
    assert (seen.failures, seen.reused_closed) == (0, 0), (seen.by_kind, seen.errors)
    assert set(seen.by_version) == {str(number) for number in range(1, 12)}
    assert web.others() == others


def prepare(web: ComposeShop) -> None:
    """Eleven versions, of which the first is live in slot blue."""
    web.images(*(str(number) for number in range(3, 12)))
    started = web.run("start", "web:blue", "--version", "1")
    assert started.code == 0, started.err


@pytest.fixture
def shorter_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each drain waits for one; what matters is that they are under way at each switch."""
    monkeypatch.setattr("proxyswitch.demo.load.CHUNK_PAUSE", 0.05)


class Relay:
    """A socket that leads to the engine until it is cut: as its clients see it, the engine has died."""

    def __init__(self, path: Path, target: str) -> None:
        self.path, self.target = path, target.removeprefix("unix://")
        self.open: list[socket.socket] = []
        self.threads: list[threading.Thread] = []

    def __enter__(self) -> Relay:
        self.restore()
        return self

    def __exit__(self, *_: object) -> None:
        if self.threads:
            self.cut()

    @property
    def env(self) -> dict[str, str]:
        return {"DOCKER_HOST": f"unix://{self.path}"}

    def restore(self) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(64)
        self._begin(self._accept, self.listener)

    def cut(self) -> None:
        """No new connections, and none of those that are there."""
        self.path.unlink()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.threads.pop(0).join(LIMIT)
        for sock in self.open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(LIMIT)
        for sock in (self.listener, *self.open):
            sock.close()
        self.threads, self.open = [], []

    def _begin(self, work: Callable[..., None], *words: socket.socket) -> None:
        self.threads.append(threading.Thread(target=work, args=words, daemon=True))
        self.threads[-1].start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                self.open += [client, engine]
                engine.connect(self.target)
                self._begin(_pump, client, engine)
                self._begin(_pump, engine, client)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
