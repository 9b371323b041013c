"""Releases of a gunicorn that is the main process of a systemd unit, and what is said of what cannot be taken back."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.drivers.gunicorn_world import APP, GUNICORN, WEB, toml
from tests.e2e.gunicorn_support import HEALTH
from tests.e2e.systemd_support import USER, Done, Units, eventually
from tests.runners.systemd import Systemd

pytestmark = pytest.mark.root
SERVICE = """\
Type=notify
ExecStart={command} --chdir {folder}/current
{reload}
KillMode=mixed
TimeoutStopSec=20
"""
RELOAD = 'ExecReload=/bin/sh -c "kill -HUP $MAINPID"'
ONLY_THERE = "import sys\nif '--check-config' not in sys.argv: raise RuntimeError('not here: the last line')"


@dataclass
class One(Units):
    """The app `web`, which is the unit of the bench's name."""

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(GUNICORN), "--bind", "{address}", "--workers", "1", "web:app"]

    def service(self, reload: str = RELOAD) -> None:
        command = shlex.join(word.format(address=f"0.0.0.0:{self.blue}") for word in self.command)
        self.unit(SERVICE.format(command=command, folder=self.folder, reload=reload), self.name)

    def configure(self, **changes: Any) -> None:
        """`changes` to the table gunicorn, or to the app."""
        table = {"unit": changes.pop("unit", self.name), "command": self.command, "scope": self.scope, "grace": "20s"}
        table |= {"current": f"{self.folder}/current", "release": f"{self.folder}/releases/{{version}}"}
        app = {"slots": {"main": f"127.0.0.1:{self.blue}"}, "driver": "gunicorn", "gunicorn": table, "watch": "100ms"}
        self.write("proxyswitch.toml", f"[apps.web]\n{toml({**app, 'health': HEALTH, **changes})}\n")

    def release(self, version: str, broken: str = "", more: str = "", code: int = 0) -> Done:
        self.write(f"releases/{version}/web.py", WEB.format(version=version, broken=broken, more=more))
        self.write(f"releases/{version}/wsgi.py", APP.read_text())
        return self.deploy(version, code=code)

    def main_pid(self) -> str:
        return self.systemctl("show", self.name, "--property=MainPID", "--value")

    def serves(self, version: str) -> None:
        assert (self.version(self.blue), self.instances(), self.journal()) == (version, {"main": version}, "")


@pytest.fixture
def web(systemd: Systemd, prefix: str) -> Iterator[One]:
    """Version 1 is live."""
    made = One(systemd, prefix)
    try:
        made.service()
        made.configure()
        made.release("1")
        yield made
    finally:
        made.close()


def test_there_and_back(web: One) -> None:
    pid = web.main_pid()
    assert web.release("2").stdout.startswith("web: 1 → 2 (")
    web.serves("2")
    web.run("rollback", "web")
    web.serves("1")
    assert web.main_pid() == pid


def test_versions_that_are_not_taken(web: One) -> None:
    """Code that does not import is not told to systemd; what shows only later is taken back."""
    pid = web.main_pid()
    failed = web.release("2", "exit", code=3).stderr
    assert "RuntimeError: cannot reach the database: the last line" in failed
    assert "everything is as before: web 1 serves from slot main" in failed
    web.serves("1")
    web.configure(health={**HEALTH, "total": "1s"})
    assert "503" in web.release("2", "never-ready", code=3).stderr
    web.serves("1")
    assert web.main_pid() == pid


def test_a_version_that_dies_only_in_gunicorn(web: One) -> None:
    """gunicorn ends itself then: no old master waits, and that is said."""
    failed = web.release("2", more=ONLY_THERE, code=3).stderr
    assert "not here: the last line" in failed, failed
    assert "no master is left: version 1 is started anew, with a gap" in failed
    web.serves("1")


def test_a_version_that_dies_after_the_switch(web: One) -> None:
    web.configure(watch="20s")
    dies = "import os, threading\ntimer = threading.Timer(2, os._exit, (3,)); timer.daemon = True; timer.start()"
    failed = web.release("2", more=dies, code=3).stderr
    assert "everything is as before: web 1 serves from slot main" in failed
    web.serves("1")


def test_a_kill_in_mid_release(web: One) -> None:
    web.configure(hooks={"after_switch": f"touch {web.folder}/there; exec sleep 600"})
    web.write("releases/2/web.py", WEB.format(version="2", broken="", more=""))
    web.write("releases/2/wsgi.py", APP.read_text())
    child = web.spawn("deploy", "web", "--version", "2")
    eventually(lambda: web.systemd.exec("test", "-e", f"{web.folder}/there").returncode == 0)
    web.kill(child)
    assert web.version(web.blue) == "2"
    web.configure()
    assert "took back" in web.run("recover").stderr
    web.serves("1")


def test_doctor_says_what_cannot_be_taken_back_and_what_is_missing(web: One) -> None:
    assert "a version is taken back by another reload: no old master waits" in web.run("doctor").stdout
    web.service(reload="")
    assert f"{web.name}.service cannot be reloaded: it has no ExecReload=" in web.run("doctor", code=1).stdout
    assert "give it a line ExecReload=" in web.release("2", code=2).stderr
    web.configure(unit="t-nowhere")
    assert "there is no unit t-nowhere.service" in web.run("doctor", code=1).stdout
    assert "write /etc/systemd/system/t-nowhere.service" in web.deploy("2", code=2).stderr
    assert web.version(web.blue) == "1"


def test_an_ordinary_user_may_not(web: One) -> None:
    theirs = {"PROXYSWITCH_STATE": f"/home/{USER}/{web.name}"}
    web.write("releases/2/web.py", WEB.format(version="2", broken="", more=""))
    web.write("releases/2/wsgi.py", APP.read_text())
    web.systemd.run("chmod", "711", "/root")
    web.systemd.run("chmod", "777", web.folder)  # the link may be moved, and the unit not be told
    words = ("deploy", "web", "--version", "2", "--config", f"{web.folder}/proxyswitch.toml")
    failed = web.run(*words, code=2, user=USER, env=theirs).stderr
    assert f"user {USER} may not do `systemctl --no-ask-password reload --no-block {web.name}.service`" in failed
    assert "let a polkit rule allow it" in failed
    web.serves("1")
    assert web.systemd.run("readlink", f"{web.folder}/current").endswith("/releases/1")
