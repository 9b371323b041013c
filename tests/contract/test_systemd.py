"""The systemd driver through a whole life: with the system's manager and with a user's own, in a container."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.ports import free_port
from tests.runners.systemd import APP, USER, Systemd

pytestmark = pytest.mark.root
RELOADS = REPO / "tests/runners/apps/reloads.py"
AGAIN = "Restart=always\nRestartSec=100ms\n"
PLACE = {"root": "/etc/systemd/system", USER: f"/home/{USER}/.config/systemd/user"}
WAYS = {
    "two slots": ("beside",),
    "two slots with environment files": ("beside", "{slot}.env"),
    "reload": ("in_place", "reload"),
    "try-restart": ("in_place", "try-restart"),
    "two slots, and a unit that systemd starts again": ("restarted",),
}


def unit(folder: Path, way: str) -> str:
    if way.startswith("two"):
        return f"[Service]\nExecStart=/usr/bin/python3 {APP}\nEnvironmentFile=-{folder}/%i.env\n{AGAIN}"
    reload = '/bin/sh -c "kill -HUP $MAINPID"'
    return f"[Service]\nEnvironment=CURRENT={folder}/current\nExecStart=/usr/bin/python3 {RELOADS}\nExecReload={reload}\n"


@pytest.mark.parametrize("user", ["root", USER])
@pytest.mark.parametrize("way", WAYS)
def test_whole_life(systemd: Systemd, prefix: str, user: str, way: str) -> None:
    folder = Path(systemd.run("sh", "-c", 'echo "$HOME"', user=user), prefix)
    name = f"{prefix}@" if way.startswith("two") else prefix
    scope = "system" if user == "root" else "user"
    systemd.run("mkdir", "-p", str(folder), user=user)
    systemd.write(f"{PLACE[user]}/{name}.service", unit(folder, way), user=user)
    systemd.run("systemctl", f"--{scope}", "daemon-reload", user=user)
    life, *more = WAYS[way]
    words = [life, str(folder), scope, prefix, str(free_port()), *more]
    done = systemd.exec(sys.executable, "-m", "tests.contract.systemd_lives", *words, user=user, cwd=str(REPO))
    assert done.returncode == 0, done.stdout + done.stderr
