"""A real Docker engine for tests. It is shared by all tests that run at a time, so a test names its things by `prefix`.

    def test_it(docker: Docker, prefix: str) -> None:
        image = docker.image(f"{prefix}:1", "1", broken="dies-after:2")    # an app, see apps/server.py
        docker.run("run", "-d", "--name", f"{prefix}-blue", "-p", f"127.0.0.1:{port}:8000", image)
        docker.wait_healthy(f"{prefix}-blue")

- `docker` (session): the engine. `docker.env` is what a command needs in its environment to talk to it, `docker.host` its
  address, `docker.run(*args)` what the client prints; it raises with stderr. `docker.image(...)` makes an image of the app.
- `prefix` (each test): a name that nobody else has. When the test ends, containers, services, networks, volumes and images
  whose names begin with it are removed, and nothing else. Use it as the project's name with Compose, as the stack's with
  Swarm. For a fixture of a wider scope: `with docker.prefixed() as prefix`.
- `swarm` (session): the same engine, as a swarm of one node. Publish ports with `mode=host`.
- `compose` (twice: the test runs with each): the command, `["docker", "compose"]` and `["docker-compose"]`; run it with
  `docker.env`. `COMPOSE1` and `COMPOSE2` are the two, for a test that wants one; take `compose1` or `compose2` as fixture.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxyswitch.polling import until
from tests.conftest import missing, not_here
from tests.ports import free_port
from tests.runners import engine
from tests.runners.store import ROOT

APP = Path(__file__).parent / "apps/server.py"
SETUP = "scripts/setup test"
COMPOSE1, COMPOSE2 = ["docker-compose"], ["docker", "compose"]
CHECK = "busybox wget -q -O /dev/null http://127.0.0.1:${PORT:-8000}/health"
LIMIT = 60.0


@dataclass(frozen=True)
class Docker:
    """The engine, and what is made on it."""

    host: str = engine.HOST
    env: Mapping[str, str] = field(default_factory=lambda: dict(engine.ENV))

    def run(self, *args: str, timeout: float = LIMIT, stdin: str | None = None) -> str:
        """What `docker ARGS` prints, without the last newline. Raises AssertionError with its stderr when it fails."""
        done = engine.docker(*args, timeout=timeout, stdin=stdin)
        assert done.returncode == 0, f"docker {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.rstrip("\n")

    def image(
        self, tag: str, version: str, broken: str = "", *, health: str = "500ms", env: Mapping[str, str] | None = None
    ) -> str:
        """An image of apps/server.py with a VERSION and a fault; it listens on port 8000. Returns its tag.

        `health` is the interval of its HEALTHCHECK, "" for none. A third of a second makes one.
        """
        values = {"VERSION": version, "BROKEN": broken, **(env or {})}
        changes = [f"ENV {key}={json.dumps(value)}" for key, value in values.items()]
        if health:
            changes.append(f"HEALTHCHECK --interval={health} --timeout=5s --retries=3 CMD {CHECK}")
        self.run("commit", *(word for change in changes for word in ("-c", change)), self._template(), tag)
        return tag

    def _template(self) -> str:
        """The stopped container with the app that images are made from; one for each state of the app's source."""
        name = "app-" + hashlib.sha256(APP.read_bytes()).hexdigest()[:12]
        if not self._has("container", name):
            root = self.root()
            with engine.locked():
                if not self._has("container", name):
                    made = self.run("create", root)
                    self.run("cp", str(APP), f"{made}:/app.py")
                    self.run("rename", made, name)
        return name

    def app(self) -> str:
        """The image of the app as it is."""
        template = self._template()
        image = template.replace("-", ":")
        if not self._has("image", image):
            self.run("commit", template, image)
        return image

    def root(self) -> str:
        """The image with a small Debian: systemd, nginx, Python, busybox."""
        if not self._has("image", "root:1"):
            with engine.locked():
                if not self._has("image", "root:1"):
                    self.run("import", "-c", 'CMD ["python3", "/app.py"]', str(ROOT), "root:1")
        return "root:1"

    def _has(self, kind: str, name: str) -> bool:
        return engine.docker(kind, "inspect", name).returncode == 0

    def health(self, container: str) -> str:
        """What the engine says of its health: starting, healthy, unhealthy; "" without a health check."""
        return self.run("inspect", "-f", "{{if .State.Health}}{{.State.Health.Status}}{{end}}", container)

    def wait_healthy(self, container: str) -> None:
        assert until(lambda: self.health(container) == "healthy" or None, LIMIT), self.run("logs", container)

    @contextmanager
    def prefixed(self) -> Iterator[str]:
        """A name that nobody else has; what bears it is removed at the end."""
        prefix = f"t{uuid.uuid4().hex[:10]}"
        try:
            yield prefix
        finally:
            self.remove(prefix)

    def remove(self, prefix: str) -> None:
        """Remove all whose name begins with the prefix."""
        named = ("--filter", f"name={prefix}")
        if self.run("info", "-f", "{{.Swarm.LocalNodeState}}") == "active":
            self._each("service", "rm", self.run("service", "ls", "-q", *named))
            for kind in ("secret", "config"):
                self._each(kind, "rm", self.run(kind, "ls", "-q", *named))
        self._each("rm", "-f", "-v", self.run("ps", "-aq", *named))
        for kind in ("network", "volume"):
            self._each(kind, "rm", self.run(kind, "ls", "-q", *named))
        images = self.run("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        self._each("rmi", "-f", " ".join(image for image in images if image.startswith(prefix)))

    def _each(self, *args: str) -> None:
        """The command with the names in its last word, if there are any; one may vanish by itself meanwhile."""
        if args[-1]:
            engine.docker(*args[:-1], *args[-1].split())


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """The engine; see above."""
    if os.geteuid():
        not_here("needs root: run the tests with sudo")
    for program in ("dockerd", "docker", "ip", "unshare"):
        if not shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
            missing(program, SETUP)
    for path in (ROOT, engine.PLUGIN):
        if not path.exists():
            missing(path.name, SETUP)
    with engine.engine():
        yield Docker()


@pytest.fixture
def prefix(docker: Docker) -> Iterator[str]:
    """A name for this test alone; what bears it is removed when the test ends."""
    with docker.prefixed() as name:
        yield name


@pytest.fixture(scope="session")
def swarm(docker: Docker) -> Docker:
    """The engine, as a swarm of one node."""
    with engine.locked():
        if docker.run("info", "-f", "{{.Swarm.LocalNodeState}}") != "active":
            own = f"127.0.0.1:{free_port()}"
            docker.run("swarm", "init", "--advertise-addr", own, "--listen-addr", own)
    return docker


@pytest.fixture(scope="session")
def compose1(docker: Docker) -> list[str]:
    if not shutil.which("docker-compose"):
        missing("docker-compose", SETUP)
    return COMPOSE1


@pytest.fixture(scope="session")
def compose2(docker: Docker) -> list[str]:
    return COMPOSE2


@pytest.fixture(params=["compose1", "compose2"])
def compose(request: pytest.FixtureRequest) -> list[str]:
    """The command of each of the two Composes."""
    found: list[str] = request.getfixturevalue(request.param)
    return found
