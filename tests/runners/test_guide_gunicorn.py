"""The guides for gunicorn and for commands of a person's own, done line by line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.conftest import REPO
from tests.drivers.command_world import Scripts
from tests.drivers.gunicorn_world import gunicorn_site
from tests.guides import Stage, local, tell

APP = (REPO / "fixtures/demo/app.py").read_text()


def stage(folder: Path, port: int) -> Stage:
    path = f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
    made = local(folder, {**os.environ, "PATH": path, "PROXYSWITCH_STATE": str(folder / "state")})
    python = sys.executable
    made.names += [("/srv/web/venv/bin/python", python), ("/usr/bin/python3", python)]
    made.names += [("/srv/web", str(folder)), ("127.0.0.1:8000", f"127.0.0.1:{port}")]
    return made


def test_the_guide_for_gunicorn(tmp_path: Path) -> None:
    with gunicorn_site(tmp_path) as site:
        for version, more in (("1", ""), ("2", ""), ("3", 'raise SystemExit("cannot reach the database")')):
            site.put(version, more=more)
        tell(REPO / "docs/guide-gunicorn.md", stage(tmp_path, site.port))


def test_the_guide_for_commands(tmp_path: Path) -> None:
    made = Scripts(tmp_path)
    for version in ("1", "2"):
        (tmp_path / "releases" / version).mkdir(parents=True)
        (tmp_path / "releases" / version / "app.py").write_text(APP)
    try:
        tell(REPO / "docs/guide-command.md", stage(tmp_path, made.ports["blue"]))
    finally:
        made.close()
