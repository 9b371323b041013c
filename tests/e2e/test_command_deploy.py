"""`deploy` of an app by a person's own script, in place: the good way, and the ways in which it can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import REPO
from tests.drivers.command_world import Scripts, scripts
from tests.drivers.gunicorn_world import toml, wait
from tests.runners.test_runners import answer

__all__ = ["scripts"]
HEALTH = {"url": "http://{address}/health", "json": {"version": "{version}"}, "interval": "50ms", "total": "10s"}


class Web:
    """The app `web` of a settings file, with one slot."""

    def __init__(self, scripts: Scripts) -> None:
        self.scripts, self.folder = scripts, scripts.folder
        self.configure()

    def configure(self, **more: Any) -> None:
        health = {**HEALTH, "total": more.pop("total", "10s")}
        app: dict[str, Any] = {"slots": {"main": str(self.scripts.slot().endpoint)}, "driver": "command"}
        app |= {"watch": more.pop("watch", "100ms"), "health": health, "command": self.scripts.table(**more)}
        (self.folder / "proxyswitch.toml").write_text(f"[apps.web]\n{toml(app)}\n")

    def spawn(self, *words: str) -> subprocess.Popen[str]:
        env = {**os.environ, "PROXYSWITCH_STATE": str(self.folder / "state"), "PYTHONPATH": str(REPO)}
        argv = [sys.executable, "-m", "proxyswitch", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, env=env, cwd=self.folder, stdout=pipe, stderr=pipe, text=True)

    def run(self, *words: str, code: int = 0) -> str:
        child = self.spawn(*words)
        out, err = child.communicate(timeout=120)
        assert child.returncode == code, (child.returncode, out, err)
        return out + err

    def deploy(self, version: str, code: int = 0) -> str:
        return self.run("deploy", "web", "--version", version, code=code)

    def version(self) -> str:
        found = answer(self.scripts.ports["blue"])
        return str(found["version"]) if found else ""


@pytest.fixture
def web(scripts: Scripts) -> Web:
    """Version 1 runs."""
    made = Web(scripts)
    made.deploy("1")
    return made


def test_there_unchanged_and_back(web: Web) -> None:
    web.deploy("2")
    assert web.version() == "2"
    assert web.deploy("2") == ""
    web.run("rollback", "web")
    assert web.version() == "1"
    web.run("stop", "web", "--force")
    assert not web.scripts.processes()


def test_the_first_release(scripts: Scripts) -> None:
    """Nothing ran before, and that is what is said."""
    web = Web(scripts)
    (web.folder / "fail-1").touch()
    failed = web.deploy("1", code=3)
    assert "no such version: 1" in failed
    assert "state: everything is as before; web 1 does not run" in failed
    (web.folder / "fail-1").unlink()
    assert "web: nothing → 1 (main) (" in web.deploy("1")


def test_a_reload_that_fails_is_taken_back(web: Web) -> None:
    (web.folder / "fail-2").touch()
    failed = web.deploy("2", code=3)
    assert "no such version: 2" in failed
    wait(lambda: web.version() == "1")


def test_one_that_never_gets_ready_is_taken_back(web: Web) -> None:
    web.configure(total="1s")
    (web.folder / "broken-2").write_text("never-ready")
    assert "503" in web.deploy("2", code=3)
    wait(lambda: web.version() == "1")


def test_one_that_dies_after_the_switch_is_taken_back(web: Web) -> None:
    web.configure(watch="20s")
    (web.folder / "broken-2").write_text("dies-after:2")
    assert "died after 2 s: the last line" in web.deploy("2", code=3)
    wait(lambda: web.version() == "1")


def test_its_own_way_back_and_its_own_end(web: Web) -> None:
    """`confirm` runs when it stays; `revert` takes it back, and is told both versions."""
    told = '"$PROXYSWITCH_COMMAND $PROXYSWITCH_OLD_VERSION $PROXYSWITCH_VERSION" >> told'
    web.configure(confirm=f"echo {told}", revert=f"echo {told}; ./web.sh reload")
    web.deploy("2")
    (web.folder / "fail-3").touch()
    web.deploy("3", code=3)
    wait(lambda: web.version() == "2")
    assert (web.folder / "told").read_text() == "confirm 1 2\nrevert 3 2\n"


def test_a_way_back_that_fails_too(web: Web) -> None:
    """A person must look; when the command is mended, it goes back."""
    web.configure(revert="echo no way back; exit 1")
    (web.folder / "fail-2").touch()
    failed = web.deploy("2", code=4)
    assert "no way back" in failed
    assert "version 2 may still run; going back to 1 was tried" in failed
    web.configure()
    web.run("recover")
    wait(lambda: web.version() == "1")


def test_a_stop_that_hangs(web: Web) -> None:
    web.configure(stop="sleep 60", stop_timeout="1s")
    assert "the command stop did not end within 1 s" in web.run("stop", "web", "--force", code=3)
    assert web.version() == "1"


def test_doctor(web: Web) -> None:
    told, _ = web.spawn("doctor").communicate(timeout=60)  # it may find the nginx of a test beside this one
    assert "ok     app web: commands of your own, replaced in place" in told
    web.configure(status="echo who knows; exit 7")
    assert "who knows" in web.run("doctor", code=1)


def test_a_version_that_the_command_check_refuses_changes_nothing(web: Web) -> None:
    web.configure(check="echo cannot be used; exit 1")
    before = web.scripts.processes()
    assert "cannot be used" in web.deploy("2", code=3)
    assert web.scripts.processes() == before


def test_a_reload_that_hangs_is_ended_in_time(web: Web) -> None:
    web.configure(start_timeout="5s")
    (web.folder / "hang-2").touch()
    assert "did not end within 5 s" in web.deploy("2", code=3)
    wait(lambda: web.version() == "1")


def test_a_killed_run_is_taken_back(web: Web) -> None:
    (web.folder / "hang-2").touch()
    running = web.spawn("deploy", "web", "--version", "2")
    wait((web.folder / "hanging").exists)
    running.kill()
    running.communicate()
    assert "took back an interrupted release" in web.run("recover")
    wait(lambda: web.version() == "1")
    assert len(web.scripts.processes()) == 1


def test_a_program_that_is_not_there(web: Web) -> None:
    web.configure(reload=["/nowhere/web.sh", "reload"])
    assert "there is no program /nowhere/web.sh" in web.deploy("2", code=2)
    assert web.version() == "1"


def test_a_status_that_is_neither_yes_nor_no(web: Web) -> None:
    web.configure(status="echo who knows; exit 7")
    assert "who knows" in web.deploy("2", code=3)
    web.configure()
    assert web.version() == "1"
