"""The guide for systemd, done line by line in a container, at the very paths that it names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.guides import Stage, tell
from tests.runners.systemd import Systemd

pytestmark = pytest.mark.root
APP = (REPO / "fixtures/demo/app.py").read_text()
BROKEN = 'import sys\nprint("cannot reach the database")\nsys.exit(3)\n'
PATH = f"{Path(sys.prefix) / 'bin'}:/usr/bin:/usr/sbin:/bin:/sbin"
CLEAR = """
systemctl disable -q --now nginx web@blue web@green
rm -rf /srv/web /var/lib/proxyswitch /etc/nginx/conf.d/web.conf /etc/systemd/system/web@*
systemctl daemon-reload
"""


@pytest.fixture
def stage(systemd: Systemd) -> Iterator[Stage]:
    """Three versions, of which the last is broken; the old unit has not been told to go yet."""

    def shell(command: str) -> tuple[str, int]:
        done = systemd.exec("sh", "-c", f"exec 2>&1\n{command}", env={"PATH": PATH}, cwd="/srv/web")
        return done.stdout, done.returncode

    for version, text in (("1", APP), ("2", APP), ("3", BROKEN)):
        systemd.write(f"/srv/web/releases/{version}/app.py", text)
    systemd.write("/srv/web/secrets.env", "SECRET=1\n")
    try:
        yield Stage(shell, systemd.write)
    finally:
        systemd.exec("sh", "-c", CLEAR)


def test_the_guide(stage: Stage) -> None:
    tell(REPO / "docs/guide-systemd.md", stage)
