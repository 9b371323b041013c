"""An app that is a service of a swarm behind a bench's HAProxy, and what tests of its releases ask.

The tag of an image picks the fault: see FAULTS. The service and its images bear the prefix, by which they are removed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.e2e.haproxy_support import CONF, HaproxyBench, haproxy_bench
from tests.e2e.shop import Shop, toml
from tests.e2e.support import Run
from tests.runners.docker import Docker
from tests.runners.swarm_app import Service

FAULTS = {
    "2-exits": "exit",
    "2-never": "never-ready",
    "2-dies": "dies-after:2",
    "2-deaf": "deaf",
}
TABLE = ("service", "image", "update", "rollback", "host", "context", "timeout", "replicas", "env", "port")
QUICK = {"monitor": "200ms", "delay": "300ms"}
# a connection that is refused goes to another server: the port of a task is gone before anybody can know it
# Docker's own proxy may accept a connection for a task that has just ended, and close it: that is tried again too
REDISPATCH = CONF.replace(
    "defaults\n", "defaults\n    option redispatch 1\n    retries 3\n    retry-on conn-failure empty-response\n"
)
POOLS = """\

backend app_backend
    balance roundrobin
    server app-1 127.0.0.1:{blue} check inter 200ms
    server app-2 127.0.0.1:{green} check inter 200ms disabled
"""


@dataclass
class SwarmShop(Shop):
    """The app `web`: the service PREFIX, whose images are PREFIX:VERSION."""

    docker: Docker = field(default_factory=Docker)
    prefix: str = ""

    @cached_property
    def service(self) -> Service:
        return Service(self.docker, self.prefix, self.bench.folder)

    def images(self, *versions: str) -> None:
        for version in versions:
            self.service.put(version, FAULTS.get(version, ""))

    def configure(self, hooks: Mapping[str, object] | None = None, **changes: Any) -> None:
        """Write proxyswitch.toml; `changes` to the app, or to its table swarm, by their key."""
        app: dict[str, object] = {
            "pool": "app_backend",
            "proxy": self.proxy,
            "slots": {"main": "auto"},
            "drain": "20s",
            "watch": "200ms",
        }
        table: dict[str, object] = {
            "service": self.prefix,
            "image": f"{self.prefix}:{{version}}",
            "resolve_image": False,
            "update": QUICK,
            "rollback": QUICK,
        }
        for key, value in changes.items():
            (table if key in TABLE else app)[key] = value
        app |= {"swarm": table, "hooks": dict(hooks or {})}
        text = "".join(f"{key} = {toml(value)}\n" for key, value in app.items())
        self.settings.write_text(f"{self.proxy} = {toml({'conf': str(self.bench.conf)})}\n\n[apps.web]\n{text}")
        self.bench.own()

    def run(self, *words: str, env: dict[str, str] | None = None) -> Run:
        return self.bench.run(*words, env={**self.docker.env, **(env or {})})

    def spawn(self, version: str, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        words = ("deploy", "web", "--version", version, *words)
        self.commands.append(self.bench.spawn(*words, env={**self.docker.env, **(env or {})}))
        return self.commands[-1]

    def tasks(self) -> dict[str, str]:
        """The tasks that should run, with their images."""
        rows = self.docker.run(
            "service", "ps", "--no-trunc", "-f", "desired-state=running", "--format", "{{.ID}} {{.Image}}", self.prefix
        )
        return dict(row.split() for row in rows.splitlines())

    def update(self) -> str:
        """What Swarm says of the last update."""
        return self.docker.run("service", "inspect", "-f", "{{.UpdateStatus.State}}", self.prefix)

    def serves(self, *versions: str) -> None:
        """Behind the proxy, and at each address of the pool, there is nothing else; and nothing is unfinished."""
        places = self.run("get", "app_backend").out.split()
        assert {self.service.answer(place) for place in places} == set(versions)
        assert self.bench.version() in versions
        assert self.service.versions() == set(versions)
        assert self.journals() == []


@contextmanager
def swarm_shop(docker: Docker, prefix: str, place: HaproxyBench, *flags: str, replicas: int = 2) -> Iterator[SwarmShop]:
    """HAProxy runs; version 1 was released, in two tasks."""
    made = SwarmShop(place, proxy="haproxy", docker=docker, prefix=prefix)
    made.images("1", "2")
    made.service.create(*flags)
    made.configure(replicas=replicas)
    place.write(made.blue, REDISPATCH, POOLS, green=made.green)
    place.start()
    try:
        made.deploy("1")
        made.configure()
        yield made
    finally:
        made.close()


@contextmanager
def alone(docker: Docker, folder: Path, *flags: str) -> Iterator[SwarmShop]:
    """The same, with all that it needs."""
    with docker.prefixed() as prefix, haproxy_bench(folder) as place, swarm_shop(docker, prefix, place, *flags) as made:
        yield made
