"""The gunicorn driver through a whole life: as a daemon, and as the main process of a systemd unit."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.contract.drivers import InPlaceLife
from tests.drivers.gunicorn_world import Site, site
from tests.ports import free_port
from tests.runners.systemd import USER, Systemd

__all__ = ["site"]
UNIT = """\
[Service]
Type={type}
{pidfile}
ExecStart={command}
ExecReload=/bin/sh -c "kill -HUP $MAINPID"
KillMode=mixed
TimeoutStopSec=20
"""


@pytest.mark.parametrize("method", ["usr2", "hup"])
def test_gunicorn_in_place(site: Site, method: str) -> None:
    InPlaceLife(lambda: site.driver(method=method), site.slot, site.put, site.version).live()
    assert not site.processes()
    assert not site.pidfile.exists()


@pytest.mark.root
@pytest.mark.parametrize(("kind", "user"), [("notify", "root"), ("notify", USER), ("forking", "root")])
def test_the_main_process_of_a_unit(systemd: Systemd, prefix: str, kind: str, user: str) -> None:
    folder = Path(systemd.run("sh", "-c", 'echo "$HOME"', user=user), prefix)
    port, scope = free_port(), "system" if user == "root" else "user"
    pidfile = f"{folder}/gunicorn.pid" if kind == "forking" else ""
    words = [word.format(address=f"127.0.0.1:{port}") for word in Site(folder, port).command()]
    words += ["--chdir", f"{folder}/current"]  # systemd follows the link of a WorkingDirectory once, and HUP would not move
    words += ["--daemon", "--pid", pidfile] if pidfile else []
    text = UNIT.format(type=kind, pidfile=f"PIDFile={pidfile}" if pidfile else "", folder=folder, command=shlex.join(words))
    place = "/etc/systemd/system" if user == "root" else f"/home/{USER}/.config/systemd/user"
    systemd.write(f"{place}/{prefix}.service", text, user=user)
    systemd.run("mkdir", "-p", str(folder), user=user)
    systemd.run("systemctl", f"--{scope}", "daemon-reload", user=user)
    life = ["gunicorn", str(folder), scope, prefix, str(port)]
    done = systemd.exec(sys.executable, "-m", "tests.contract.systemd_lives", *life, user=user, cwd=str(REPO), timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
