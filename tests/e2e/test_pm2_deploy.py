"""Releases of an app of a real PM2 in two slots behind nginx: the good way, and every way in which it can fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.pm2_world import wait
from tests.e2e.pm2_support import Beside, pm2_beside
from tests.e2e.support import bench
from tests.runners.pm2 import Pm2

# without pmx: its reports to a daemon that is gone end the app after a second
FORK = {"exec_mode": "fork", "instances": 1, "wait_ready": False, "pmx": False}


@pytest.fixture(params=["fork", "cluster"])
def web(request: pytest.FixtureRequest, tmp_path: Path, pm2: Pm2) -> Iterator[Beside]:
    """Version 1 is live in blue; in cluster mode the file is one that generate made."""
    keys = FORK if request.param == "fork" else {}
    (tmp_path / "nginx").mkdir()
    with bench(tmp_path / "nginx") as proxy, pm2_beside(tmp_path, pm2, proxy, **keys) as made:
        if not keys:
            made.generate("--grace", "5s")
        proxy.write(made.site.port)
        proxy.start()
        made.site.put("1")
        made.run("start", "web:blue", "--version", "1")
        yield made


def test_there_and_back(web: Beside) -> None:
    web.as_before()
    done = web.release("2")
    assert done.out.startswith("web: 1 (blue) → 2 (green)")
    assert (web.instances(), web.served()) == ({"green": "2"}, "2")
    assert not web.site.pids("web-blue")
    web.run("rollback", "web")
    web.as_before()
    assert web.secrets() == []


def test_versions_that_do_not_come_up(web: Beside) -> None:
    web.configure(total="2s", start_timeout="30s")
    failed = web.release("2-exit", code=3)
    assert "cannot reach the database: the last line" in failed.err
    assert "everything is as before: web 1 serves from slot blue" in failed.err
    web.as_before()
    web.site.ecosystem(cwd=None, exec_mode="fork", instances=1, wait_ready=False)
    assert "503" in web.release("3-never-ready", code=3).err
    web.as_before()


def test_a_version_that_never_says_ready(web: Beside) -> None:
    """PM2 starts a process again that is stopped before it was ready: that is waited for."""
    web.site.ecosystem(cwd=None, exec_mode="cluster", instances=2, listen_timeout=6000)
    web.configure(start_timeout="3s")
    failed = web.release("2-never-ready", code=3)
    assert "did not start: pm2 start: it did not end within 3 s" in failed.err
    web.as_before()


def test_a_version_that_dies_after_the_switch_and_is_started_again(web: Beside) -> None:
    web.configure(watch="20s")
    failed = web.release("2-dies-after:2", code=3)
    assert "died after 2 s: the last line" in failed.err
    web.as_before()


def test_a_stop_that_hangs(web: Beside) -> None:
    web.configure(kill_timeout="1s")
    web.release("2-deaf")
    done = web.release("3")
    assert "web:green: process" in done.err
    assert "did not end within its kill_timeout: PM2 has killed it" in done.err
    assert web.instances() == {"blue": "3"}


@pytest.mark.parametrize("hook", ["before_switch", "after_switch"])
def test_a_kill_in_mid_release(web: Beside, hook: str) -> None:
    web.kill_in(hook, "2")
    web.run("recover")
    web.as_before()


def test_the_daemon_is_killed_in_mid_release(web: Beside) -> None:
    """In cluster mode both versions die with it, in fork mode none: a person must look in either case."""
    fork = web.site.pm2.list()[0]["pm2_env"]["exec_mode"] == "fork_mode"
    web.configure(hooks={"before_switch": f"kill -9 $(cat {web.site.pm2.home}/pm2.pid); exit 1"})
    failed = web.release("2", code=4)
    assert "PM2's daemon has ended in mid-release" in failed.err
    assert "pm2 resurrect" in failed.err
    assert web.instances() == ({"blue": "1"} if fork else {})
    assert not web.site.version(web.site.green)
    web.configure()
    web.run("recover")
    if fork:
        web.as_before()
        web.release("3")
        assert (web.instances(), web.served()) == ({"green": "3"}, "3")
        assert not web.site.version(web.site.port)


def test_what_is_stopped_by_a_person(web: Beside) -> None:
    web.site.pm2.run("stop", "web-blue")
    wait(lambda: web.instances() == {})
    web.release("2")
    assert (web.instances(), web.served()) == ({"green": "2"}, "2")
