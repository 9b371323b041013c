"""The guide for Docker Compose, done line by line in a project of the tests' own, behind an nginx of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.system import signals
from tests.conftest import REPO
from tests.e2e.support import eventually
from tests.guides import Stage, local, tell
from tests.ports import free_port
from tests.runners.docker import APP, Docker

pytestmark = pytest.mark.root
CONF = """\
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    include {folder}/conf.d/*.conf;
}}
"""


@pytest.fixture
def stage(docker: Docker, nginx_binary: str, prefix: str, tmp_path: Path) -> Iterator[Stage]:
    """The app's code, and an nginx that is not started yet; the ports are free ones."""
    (tmp_path / "app.py").write_text(APP.read_text())
    conf = tmp_path / "nginx.conf"
    conf.write_text(CONF.format(folder=tmp_path))
    program = tmp_path / "bin/nginx"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec {nginx_binary} -e {tmp_path}/error.log -c {conf}\n")
    program.chmod(0o755)
    path = f"{program.parent}:{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
    place = local(tmp_path, {**os.environ, **docker.env, "PATH": path, "COMPOSE_PROJECT_NAME": prefix})
    place.names += [
        ("/srv/shop", str(tmp_path)),
        ("python:3.12", docker.root()),
        ("postgres:16\n", f"{prefix}:db\n    command: [sleep, '600']\n"),
        ("postgres:16", f"{prefix}:db"),
        *((f"shop:{word}", f"{prefix}:{word}") for word in ("1", "2", "3", "$", "{")),
        ("shop-app", f"{prefix}-app"),
        *((port, str(free_port())) for port in ("3001", "3002", "8080")),
        ("[apps.shop]\n", f"nginx = {{ conf = '{conf}', binary = '{nginx_binary}' }}\n[apps.shop]\n"),
    ]
    docker.run("tag", docker.root(), f"{prefix}:db")
    try:
        yield place
    finally:
        pidfile = tmp_path / "nginx.pid"
        if pidfile.exists() and pidfile.read_text():
            os.kill(int(pidfile.read_text()), signals.TERM)
            assert eventually(lambda: not pidfile.exists())


def test_the_guide(stage: Stage) -> None:
    tell(REPO / "docs/guide-compose.md", stage)
