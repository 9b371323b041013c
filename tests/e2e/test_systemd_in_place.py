"""Releases of one unit that is reloaded or restarted, and what `proxyswitch` says where it may not or cannot do that."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import REPO
from tests.e2e.systemd_support import USER, Done, Units, eventually
from tests.runners.systemd import Systemd

pytestmark = pytest.mark.root
RELOADS = REPO / "tests/runners/apps/reloads.py"
SERVICE = """\
Environment=CURRENT={folder}/current
ExecStart=/usr/bin/python3 {app}
ExecReload=/bin/sh -c "grep -q bad {folder}/current/version && exit 5; kill -HUP $MAINPID"
"""


@dataclass
class One(Units):
    """The app `web`, which is the unit of the bench's name."""

    def put(self, version: str) -> None:
        self.write(f"releases/{version}/version", version)

    def release(self, version: str, code: int = 0) -> Done:
        self.put(version)
        return self.deploy(version, code=code)

    def configure(self, **changes: Any) -> None:
        own = {
            "slots": {"main": f"127.0.0.1:{self.blue}"},
            "pool": None,
            "systemd_unit": self.name,
            "health_url": "http://{address}/",
        }
        links = {"systemd_current": f"{self.folder}/current", "systemd_release": f"{self.folder}/releases/{{version}}"}
        super().configure(**{**own, **links, **changes})

    def answer(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.systemd.address}:{self.blue}/", timeout=20) as reply:
            found: dict[str, Any] = json.loads(reply.read())
            return found

    def answers(self) -> bool:
        try:
            return bool(self.answer())
        except OSError:
            return False

    def serves(self, version: str) -> None:
        assert (self.answer()["version"], self.instances(), self.journal()) == (version, {"main": version}, "")


@pytest.fixture
def web(systemd: Systemd, prefix: str) -> Iterator[One]:
    """Version 1 is live."""
    made = One(systemd, prefix)
    try:
        made.unit(SERVICE.format(folder=made.folder, app=RELOADS), made.name)
        made.configure()
        made.release("1")
        yield made
    finally:
        made.close()


def test_reload_there_and_back(web: One) -> None:
    pid = web.answer()["pid"]
    assert web.release("2").stdout.startswith("web: 1 → 2 (")
    web.serves("2")
    again = web.deploy("2")
    assert (again.stdout, again.stderr) == ("", "")
    web.run("rollback", "web")
    web.serves("1")
    assert web.answer()["pid"] == pid
    web.systemctl("restart", web.name)
    eventually(web.answers)
    web.serves("1")
    web.systemd.run("rm", "-r", f"{web.folder}/state")
    web.serves("1")


def test_versions_that_are_not_taken(web: One) -> None:
    pid = web.answer()["pid"]
    web.configure(health_total="1s")
    assert "503" in web.release("2-ill", code=3).stderr
    web.serves("1")
    done = web.release("2-bad", code=3)
    assert "could not reload to 2-bad" in done.stderr
    assert "status=5" in done.stderr
    assert "everything is as before: web 1 serves from slot main" in done.stderr
    web.serves("1")
    assert "there is no folder" in web.deploy("3", code=2).stderr
    web.serves("1")
    assert web.answer()["pid"] == pid


def test_a_version_that_ends_the_app(web: One) -> None:
    """There is no way back without a gap; but the way back is gone."""
    assert "cannot reach the database: the last line" in web.release("2-dies", code=3).stderr
    web.serves("1")


def test_a_way_back_that_fails_too(web: One) -> None:
    """A person must look; when the unit is mended, it goes back."""
    good = SERVICE.format(folder=web.folder, app=RELOADS)
    web.unit(good.replace("kill -HUP", "exit 6; kill -HUP"), web.name)
    done = web.release("2", code=4)
    assert "cannot go back to 1" in done.stderr
    assert f"its files are as before, {web.name}.service is active (running)" in done.stderr
    web.run("recover", code=4)
    web.unit(good, web.name)
    web.run("recover")
    web.serves("1")


def test_a_kill_in_mid_release(web: One) -> None:
    web.configure(hooks_after_switch=f"touch {web.folder}/there; exec sleep 600")
    web.put("2")
    child = web.spawn("deploy", "web", "--version", "2")
    eventually(lambda: web.systemd.exec("test", "-e", f"{web.folder}/there").returncode == 0)
    web.kill(child)
    assert web.answer()["version"] == "2"
    web.configure()
    assert "took back" in web.run("recover").stderr
    web.serves("1")


def test_restarts_where_told_so(web: One) -> None:
    web.unit(f"Environment=CURRENT={web.folder}/current\nExecStart=/usr/bin/python3 {RELOADS}", web.name)
    done = web.release("2", code=2)
    assert "cannot be reloaded: it has no ExecReload=" in done.stderr
    web.serves("1")
    web.configure(systemd_reload="try-restart")
    web.release("2")
    web.serves("2")
    assert "is restarted at each release: requests fail meanwhile" in web.run("doctor", code=1).stdout
    assert "cannot reach the database: the last line" in web.release("3-dies", code=3).stderr
    web.serves("2")


def test_what_a_person_started(web: One) -> None:
    """Its version is not known; it is replaced all the same, and comes back when the new one fails."""
    web.systemctl("stop", web.name)
    web.systemd.run("rm", "-r", f"{web.folder}/state", f"/etc/systemd/system/{web.name}.service.d")
    web.unit(f"Environment=PORT={web.blue}\n{SERVICE.format(folder=web.folder, app=RELOADS)}", web.name)
    web.systemctl("start", web.name)
    eventually(lambda: web.instances() == {"main": ""})
    assert "web (version unknown) serves from slot main" in web.release("2-bad", code=3).stderr
    assert web.answer()["version"] == "1"
    assert web.release("2").stdout.startswith("web: unknown → 2 (")
    web.serves("2")


def test_an_ordinary_user_may_not(web: One) -> None:
    theirs = {"PROXYSWITCH_STATE": f"/home/{USER}/{web.name}"}
    web.systemd.run("chmod", "711", "/root")
    words = ("deploy", "web", "--version", "2", "--config", f"{web.folder}/proxyswitch.toml")
    web.put("2")
    done = web.run(*words, code=2, user=USER, env=theirs)
    assert f"/etc/systemd/system/{web.name}.service.d: no permission to write there" in done.stderr
    web.serves("1")


def test_a_user_whom_polkit_does_not_let(web: One) -> None:
    """It may write the environment, and not reload: the environment is put back."""
    mine = f"/home/{USER}/{web.name}"
    web.systemd.run("mkdir", "-p", f"{mine}/state", user=USER)
    web.unit(f"EnvironmentFile=-{mine}/web.env\n{SERVICE.format(folder=web.folder, app=RELOADS)}", web.name)
    web.configure(systemd_environment_file=f"{mine}/web.env", systemd_current=None, systemd_release=None)
    words = ("deploy", "web", "--version", "2", "--config", f"{web.folder}/proxyswitch.toml")
    done = web.run(*words, code=2, user=USER, env={"PROXYSWITCH_STATE": f"{mine}/state"})
    assert f"user {USER} may not do `systemctl" in done.stderr
    assert web.systemd.exec("test", "-e", f"{mine}/web.env").returncode == 1
    assert web.answer()["version"] == "1"


def test_a_machine_without_systemd(web: One) -> None:
    command = f"mount -t tmpfs none /run/systemd; exec {sys.executable} -m proxyswitch deploy web --version 2"
    done = web.systemd.exec("unshare", "-m", "sh", "-c", command, env=web.env, cwd=web.folder)
    assert done.returncode == 2, done.stderr
    assert "systemd does not run here: there is no /run/systemd/system" in done.stderr
    assert "apt-get install systemd" in done.stderr
