"""The guide for PM2, done line by line with a PM2 and an nginx of its own."""

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
from tests.runners.pm2 import APP, Pm2
from tests.runners.test_guide_compose import CONF

BROKEN = 'console.error("cannot reach the database"); process.exit(3);\n'


def nginx(folder: Path, binary: str) -> None:
    """A program `nginx` that has its config and its log in that folder."""
    user = "" if os.geteuid() else "user root;\n"
    (folder / "nginx.conf").write_text(user + CONF.format(folder=folder).removeprefix("user root;\n"))
    program = folder / "bin/nginx"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec {binary} -e {folder}/error.log -c {folder}/nginx.conf\n")
    program.chmod(0o755)


@pytest.fixture
def stage(pm2: Pm2, nginx_binary: str, tmp_path: Path) -> Iterator[Stage]:
    """Three versions, of which the last is broken; nginx is not started yet. The ports are free ones."""
    for version in ("1", "2", "3"):
        (tmp_path / "releases" / version).mkdir(parents=True)
        code = BROKEN if version == "3" else f'process.env.VERSION = "{version}";\nrequire("{APP}");\n'
        (tmp_path / "releases" / version / "app.js").write_text(code)
    nginx(tmp_path, nginx_binary)
    path = f"{tmp_path}/bin:{Path(sys.prefix) / 'bin'}:{pm2.env['PATH']}"
    place = local(tmp_path, {**os.environ, **pm2.env, "PATH": path, "PROXYSWITCH_STATE": str(tmp_path / "state")})
    head = f"nginx = {{ conf = '{tmp_path}/nginx.conf', binary = '{nginx_binary}' }}\n[apps.web]\n"
    place.names += [("[apps.web]\n", head), ("/srv/web", str(tmp_path))]
    place.names += [(port, str(free_port())) for port in ("3000", "3001", "3002", "8080")]
    try:
        yield place
    finally:
        pidfile = tmp_path / "nginx.pid"
        if pidfile.exists() and pidfile.read_text():
            os.kill(int(pidfile.read_text()), signals.TERM)
            assert eventually(lambda: not pidfile.exists())


def test_the_guide(stage: Stage) -> None:
    tell(REPO / "docs/guide-pm2.md", stage)
