"""`deploy` of an app of a real PM2, in place: the good way, and every way in which it can fail."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.system import proc
from tests.drivers.pm2_world import SECRET, wait
from tests.e2e.pm2_support import Web, pm2_web
from tests.runners.pm2 import Pm2

# what only a process of PM2's own app does, and not the one that is tried before
ONLY_THERE = 'if (process.env.name === "web") process.env.BROKEN = {!r};'
SAID = "cannot reach the database: the last line"


@pytest.fixture
def web(tmp_path: Path, pm2: Pm2) -> Iterator[Web]:
    """Version 1 runs."""
    with pm2_web(tmp_path, pm2) as made:
        made.release("1")
        yield made


def untouched(web: Web, pids: set[int]) -> None:
    """Version 1 serves, by the very same workers."""
    web.serves("1")
    assert web.site.pids() == pids


def test_there_unchanged_and_back(web: Web) -> None:
    web.serves("1")
    pids = web.site.pids()
    done = web.release("2", "--json")
    assert done.json["mode"] == "in-place"
    assert (done.json["from"]["version"], done.json["to"]["version"]) == ("1", "2")
    web.serves("2")
    assert len(web.site.pids()) == len(pids) == 2
    assert not web.site.pids() & pids
    pids = web.site.pids()
    same = web.deploy("2")
    assert (same.out, same.err) == ("", "")
    assert web.site.pids() == pids
    web.run("rollback", "web")
    web.serves("1")
    assert web.secrets() == []
    assert web.run("stop", "web", "--force").out
    assert not web.site.pids()
    web.deploy("2")
    web.serves("2")


def test_one_that_never_says_ready_ends_nothing(web: Web) -> None:
    pids = web.site.pids()
    web.configure(start_timeout="2s")
    failed = web.release("2-never-ready", code=3)
    assert "version 2-never-ready did not say ready within 2.0 s" in failed.err
    assert "everything is as before: web 1 serves from slot main" in failed.err
    untouched(web, pids)


def test_one_that_does_not_start_ends_nothing(web: Web) -> None:
    pids = web.site.pids()
    failed = web.release("2-exit", code=3)
    assert "died before it was ready: stopped, the last one ended with status 3" in failed.err
    assert SAID in failed.err
    untouched(web, pids)
    web.release("3")
    web.serves("3")


def test_one_that_is_ready_too_late_for_pm2(web: Web) -> None:
    pids = web.site.pids()
    web.configure(listen_timeout="1s")
    failed = web.release("2-ready-after:3", code=3)
    assert "but PM2 ends the old workers after 1.0 s" in failed.err
    untouched(web, pids)


@pytest.mark.parametrize(("fault", "said"), [("never-ready", "503"), ("exit", "does not run everywhere")])
def test_one_that_fails_only_as_a_worker_is_taken_back(web: Web, fault: str, said: str) -> None:
    """PM2 has ended the old workers then: it does that after listen_timeout, whatever the new ones say."""
    web.configure(listen_timeout="4s", total="2s")
    failed = web.release("2", more=ONLY_THERE.format(fault), code=3)
    assert said in failed.err
    assert "everything is as before: web 1 serves from slot main" in failed.err
    web.serves("1")


def test_one_that_dies_after_the_switch_is_taken_back(web: Web) -> None:
    """PM2 starts it again at once; that it died is a failure all the same."""
    web.configure(watch="20s")
    failed = web.release("2", more=ONLY_THERE.format("dies-after:2"), code=3)
    assert "died after 2 s: the last line" in failed.err
    web.serves("1")


def test_a_stop_that_hangs_is_killed_by_pm2_and_said(web: Web) -> None:
    web.configure(kill_timeout="1s")
    web.release("2-deaf")
    stopped = web.run("stop", "web", "--force")
    assert "did not end within its kill_timeout: PM2 has killed it" in stopped.err
    assert not web.site.pids()
    web.deploy("1")
    web.serves("1")


@pytest.mark.parametrize("hook", ["before_switch", "after_switch"])
def test_a_killed_run_is_taken_back_by_recover(web: Web, hook: str) -> None:
    web.kill_in(hook, "2")
    web.run("recover")
    web.serves("1")


def test_a_run_that_is_killed_while_a_version_is_tried(web: Web) -> None:
    pids = web.site.pids()
    web.configure(start_timeout="60s")
    web.site.put("2-never-ready")
    running = web.spawn("deploy", "web", "--version", "2-never-ready")
    wait(lambda: web.site.pids("web-preflight"))
    running.kill()
    running.wait()
    web.run("recover")
    untouched(web, pids)


def test_a_run_that_is_killed_in_the_reload(web: Web) -> None:
    """PM2 goes on with it, and refuses another one meanwhile."""
    web.configure(listen_timeout="6s")
    web.site.put("2", ONLY_THERE.format("ready-after:3"))
    pids = web.site.pids()
    running = web.spawn("deploy", "web", "--version", "2")
    wait(lambda: web.site.pids() - pids)
    running.kill()
    running.wait()
    web.run("recover")
    web.serves("1")


def test_the_daemon_is_killed_after_the_switch(web: Web) -> None:
    """All workers are gone with it: the old version is started anew."""
    hook = f"kill -9 $(cat {web.site.pm2.home}/pm2.pid)"
    web.configure(watch="20s", hooks={"after_switch": hook})
    failed = web.release("2", code=3)
    assert "no worker is left: version 1 is started anew, with a gap" in failed.err
    web.serves("1")


def test_the_daemon_is_killed_before_the_switch(web: Web) -> None:
    web.configure(hooks={"before_switch": f"kill -9 $(cat {web.site.pm2.home}/pm2.pid)"})
    failed = web.release("2", code=3)
    assert "PM2's daemon has ended" in failed.err
    assert "no worker is left: version 1 is started anew, with a gap" in failed.err
    web.serves("1")


def test_a_gap_is_refused_unless_told(web: Web) -> None:
    pids = web.site.pids()
    web.configure(wait_ready=False)
    refused = web.release("2", code=2)
    assert "PM2 does not wait until a new version of web is ready: wait_ready is not set" in refused.err
    untouched(web, pids)
    web.configure(wait_ready=False, allow_gap=True)
    web.deploy("2")
    web.serves("2")
    doctor = web.run("doctor", code=1).out
    assert "wait_ready is not set" in doctor


def test_fork_mode_is_refused_unless_told(web: Web) -> None:
    web.run("stop", "web", "--force")
    web.configure(exec_mode="fork", instances=1)
    refused = web.deploy("1", code=2)
    assert "web runs in fork mode, where pm2 reload is a restart: requests fail meanwhile" in refused.err
    web.configure(exec_mode="fork", instances=1, allow_gap=True)
    web.deploy("1")
    web.release("2")
    wait(web.site.version)
    web.serves("2")


def test_a_port_of_its_own_is_needed_to_be_tried(web: Web) -> None:
    """A version that does not heed PORT cannot be tried beside the one that has its address; it ends nothing."""
    stubborn = f"process.env.PORT = '{web.site.port}'; process.env.HOST = '127.0.0.1';"
    pids = web.site.pids()
    failed = web.release("2", more=stubborn, code=3)
    assert "EADDRINUSE" in failed.err
    assert "PORT and HOST tell it" in failed.err
    untouched(web, pids)
    web.configure(preflight=False)
    web.deploy("2")
    web.serves("2")
    assert "preflight is off" in web.run("doctor", code=1).out


def test_a_release_that_is_not_there_is_a_mistake_of_the_caller(web: Web) -> None:
    pids = web.site.pids()
    assert "there is no folder" in web.deploy("9", code=2).err
    untouched(web, pids)


def test_pm2_is_absent(web: Web) -> None:
    web.configure(program="/nowhere/pm2")
    web.site.put("2")
    failed = web.deploy("2", code=2)
    assert "there is no program /nowhere/pm2" in failed.err
    assert "npm install -g pm2" in failed.err
    assert "there is no program /nowhere/pm2" in web.run("doctor", code=1).out
    web.configure()
    web.serves("1")


@pytest.mark.root
def test_the_pm2_of_another_user(web: Web) -> None:
    """As root a daemon of root's own would be started there."""
    web.site.put("2")
    shutil.chown(web.site.pm2.home, "www-data")
    failed = web.deploy("2", code=2)
    assert f"the PM2 at {web.site.pm2.home} belongs to user" in failed.err
    assert "name that user: user in apps.web.pm2" in failed.err
    shutil.chown(web.site.pm2.home, "root")
    web.serves("1")


def test_to_look_leaves_no_daemon(tmp_path: Path, pm2: Pm2) -> None:
    with pm2_web(tmp_path, pm2) as web:
        web.run("status", "web", code=1)
        web.spawn("doctor").communicate(timeout=60)
        assert list(pm2.home.iterdir()) == []
        assert not proc.with_environment("PM2_HOME", str(pm2.home))


def by_hand(web: Web, cwd: Path) -> None:
    """An app that a person has started, with its secret in the environment."""
    web.run("stop", "web", "--force")
    web.site.pm2.run("delete", "web")
    env = {"SECRET": SECRET, "PORT": str(web.site.port), "HOST": "127.0.0.1"}
    words = ("start", f"{cwd}/web.js", "--name", "web", "-i", "2", "--wait-ready", "--cwd", str(cwd))
    web.site.pm2.run(*words, "--listen-timeout", "20000", env=env)
    wait(web.site.version)


def test_one_that_a_person_has_started_is_taken_over_by_its_name(web: Web) -> None:
    by_hand(web, web.site.folder / "current")
    web.configure(ecosystem=None)
    done = web.release("2", "--json")
    assert done.json["from"]["version"] == "1"
    web.serves("2")
    assert {one["pm2_env"]["env"]["SECRET"] for one in web.site.pm2.list()} == {SECRET}
    assert web.secrets() == []
    web.run("rollback", "web")
    web.serves("1")
    web.run("stop", "web", "--force")
    web.deploy("2")
    web.serves("2")


def test_one_that_does_not_run_by_the_link_is_not_reloaded(web: Web) -> None:
    by_hand(web, web.site.folder / "releases/1")
    pids = web.site.pids()
    failed = web.release("2", code=2)
    assert "not by the link" in failed.err
    assert web.site.pids() == pids


def test_a_boot_brings_up_what_was_saved(web: Web) -> None:
    assert "will not after a boot: PM2 has not saved it" in web.run("doctor", code=1).out
    web.configure(save=True)
    web.release("2")
    web.kill_daemon()
    web.site.pm2.run("resurrect")
    wait(web.site.version)
    web.serves("2")
    web.site.pm2.run("start", str(web.site.folder / "current/web.js"), "--name", "other", env={"PORT": "0"})
    web.site.pm2.run("save")
    web.site.pm2.run("delete", "other")
    said = web.run("rollback", "web").err
    assert "warning: not saved: PM2 does not know other any more" in said
    dump = json.loads((web.site.pm2.home / "dump.pm2").read_text())
    assert "other" in {one["name"] for one in dump}
