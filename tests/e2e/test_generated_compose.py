"""An app and an nginx of one compose file that generate made: a bare `up` starts nginx alone, and no request fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from tests.e2e.nginx_container_support import Boxed
from tests.ports import free_port
from tests.runners.docker import Docker

pytestmark = pytest.mark.root

SETTINGS = """\
[nginx]
exec = "docker compose -p {prefix} exec -T nginx"

[apps.shop]
pool = "shop_backend"
slots = {{ blue = "127.0.0.1:{blue}", green = "127.0.0.1:{green}" }}
drain = "20s"
watch = "200ms"

[apps.shop.compose]
service = "app-{{slot}}"
image = "{prefix}:{{version}}"
project = "{prefix}"
"""


class Project(Boxed):
    """The compose file in the bench's folder; nginx is a service of it."""

    def compose(self, *words: str) -> str:
        return self.docker.run("compose", "-p", self.prefix, "-f", str(self.folder / "compose.yaml"), *words)

    def services(self) -> dict[str, str]:
        """What runs: service to container."""
        named = ("-f", f"label=com.docker.compose.project={self.prefix}", "--no-trunc")
        rows = self.docker.run("ps", *named, "--format", '{{.Label "com.docker.compose.service"}} {{.ID}}').splitlines()
        return dict(row.split() for row in rows)

    def did(self, *words: str) -> str:
        done = self.run(*words)
        assert done.code == 0, done.err
        return done.out


@pytest.fixture
def project(docker: Docker, prefix: str, tmp_path: Path) -> Iterator[Project]:
    """Nothing runs. The image of nginx is as the official one: it has no site of its own but in conf.d."""
    site = f"{prefix}-site"
    docker.run("run", "--name", site, docker.root(), "rm", "-f", "/etc/nginx/sites-enabled/default")
    docker.run("commit", "-c", 'CMD ["nginx", "-g", "daemon off;"]', site, f"{prefix}:nginx")
    for version in ("1", "2", "3"):
        docker.image(f"{prefix}:{version}", version, health="")
    made = Project(tmp_path, docker=docker, prefix=prefix)
    made.settings(SETTINGS.format(prefix=prefix, blue=free_port(), green=free_port()))
    words = ("--probe", "python", "--with-nginx", "--nginx-image", f"{prefix}:nginx", "--listen", str(made.port))
    made.did("generate", "compose", "--app", "shop", *words, "--write", "--output", f"{tmp_path}/")
    try:
        yield made
    finally:
        made.stop()


def test_it_runs_as_it_is(project: Project) -> None:
    project.compose("up", "-d")
    assert set(project.services()) == {"nginx"}
    project.answers()
    project.did("deploy", "shop", "--version", "1")
    assert project.version() == "1"
    with Load(Endpoint("127.0.0.1", project.port), keepalive=2, closing=1, long=1, long_seconds=0.5) as load:
        for version in ("2", "3"):
            project.did("deploy", "shop", "--version", version)
            assert project.version() == version
        project.did("rollback", "shop")
    seen = load.stop()
    assert seen.failures == 0, (seen.by_kind, seen.errors)
    assert set(seen.by_version) == {"1", "2", "3"}
    before = project.services()
    assert set(before) == {"nginx", "app-blue"}
    project.compose("up", "-d")
    assert project.services() == before
    assert project.did("lint", str(project.folder / "nginx/conf.d/shop.conf")) == ""
