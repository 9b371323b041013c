"""The guide for Docker Swarm, done line by line on the tests' own swarm, behind an HAProxy of its own."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.e2e.haproxy_support import HaproxyBench, haproxy_bench
from tests.guides import Stage, local, tell
from tests.ports import free_port
from tests.runners.docker import APP, Docker

pytestmark = pytest.mark.root
CONF = "global\n    stats socket {folder}/admin.sock mode 600 level admin\n"
TASK = re.compile(r"task \w{12}: task: non-zero exit \(1\)(; task \w{12}: task: non-zero exit \(1\))*")


@pytest.fixture
def place(tmp_path: Path, haproxy_binary: str) -> Iterator[HaproxyBench]:
    """HAProxy runs as soon as the page has written its config."""
    with haproxy_bench(tmp_path) as made:
        yield made


@pytest.fixture
def stage(swarm: Docker, place: HaproxyBench, prefix: str) -> Stage:
    """The app's code; names and ports are the test's own, and Swarm watches for a shorter time."""
    folder = place.folder
    (folder / "app.py").write_text(APP.read_text())
    path = f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
    made = local(folder, {**os.environ, **swarm.env, "PATH": path})
    shell, write = made.shell, made.write

    def told(command: str) -> tuple[str, int]:
        out, code = shell(command)
        return TASK.sub("task k3v0c9x1m2ab: task: non-zero exit (1)", out), code

    def written(name: str, text: str) -> None:
        if not name.endswith(".cfg"):
            write(name, text)
            return
        place.write(place.port, conf=CONF, pools=text)
        place.start()

    made.shell, made.write = told, written
    made.names += [
        ("/srv/shop", str(folder)),
        ("python:3.12", swarm.root()),
        ("interval=1s", "interval=100ms"),
        *((f"shop:{word}", f"{prefix}:{word}") for word in ("1", "2", "3", "$", "{")),
        ("never shop ", f"never {prefix} "),
        ("shop_app", f"{prefix}_app"),
        ("8080", str(place.port)),
        *((port, str(free_port())) for port in ("8001", "8002")),
        ('delay = "2s", monitor = "5s"', 'delay = "300ms", monitor = "200ms"'),
        ('"5s"', '"200ms"'),
        ("[apps.shop]\n", f"haproxy = {{ conf = '{place.conf}' }}\n[apps.shop]\n"),
    ]
    return made


def test_the_guide(stage: Stage) -> None:
    tell(REPO / "docs/guide-swarm.md", stage)
