"""The guide for an nginx in a container, done line by line in a project of the tests' own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.guides import Stage, local, tell
from tests.ports import free_port
from tests.runners.docker import Docker

pytestmark = pytest.mark.root


@pytest.fixture
def stage(docker: Docker, prefix: str, tmp_path: Path) -> Stage:
    """The three images. What the apps answer is nobody's business here: the page asks nginx alone."""
    made = docker.run("create", "--name", f"{prefix}-image", docker.root())
    docker.run("commit", "-c", 'CMD ["nginx", "-g", "daemon off;"]', made, f"{prefix}:nginx")
    docker.run("commit", "-c", 'CMD ["sleep", "600"]', made, f"{prefix}:app")
    path = f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
    place = local(tmp_path, {**os.environ, **docker.env, "PATH": path, "COMPOSE_PROJECT_NAME": prefix})
    place.names += [
        ("/srv/shop", str(tmp_path)),
        ("nginx:stable", f"{prefix}:nginx"),
        ("shop:1", f"{prefix}:app\n    init: true"),
        ("shop:2", f"{prefix}:app\n    init: true"),
        ('"80:80"', f'"127.0.0.1:{free_port()}:80"'),
        ("    volumes:", '    dns_opt: ["timeout:1", "attempts:1"]\n    volumes:'),
        ("/var/lib/proxyswitch", os.environ["PROXYSWITCH_STATE"]),
    ]
    return place


def test_the_guide(stage: Stage) -> None:
    tell(REPO / "docs/guide-nginx-container.md", stage)
