"""Releases of units in two slots behind nginx, by the system's systemd and by a user's own, in a container."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.systemd_support import USER, Units, eventually, units
from tests.runners.systemd import Systemd

pytestmark = pytest.mark.root
SAID = "cannot reach the database: the last line"


@pytest.fixture
def web(systemd: Systemd, prefix: str) -> Iterator[Units]:
    """Version 1 is live in blue."""
    with units(systemd, prefix) as made:
        yield made


def as_before(web: Units) -> None:
    """Version 1 serves from blue; of the other nothing runs, and systemd has no failure of it to show."""
    assert (web.instances(), web.version(), web.journal()) == ({"blue": "1"}, "1", "")
    assert web.show("green", "ActiveState") == "inactive"


def test_there_and_back(web: Units) -> None:
    assert web.deploy("2").stdout.startswith("web: 1 (blue) → 2 (green)")
    assert (web.instances(), web.version()) == ({"green": "2"}, "2")
    again = web.deploy("2")
    assert (again.stdout, again.stderr) == ("", "")
    web.run("rollback", "web")
    as_before(web)
    web.systemctl("restart", f"{web.name}@blue")
    as_before(web)


def test_a_version_that_does_not_start(web: Units) -> None:
    done = web.deploy("2-exit", code=3)
    assert SAID in done.stderr
    assert "its main process ended with status 3" in done.stderr
    assert "everything is as before: web 1 serves from slot blue" in done.stderr
    as_before(web)


@pytest.mark.parametrize("kind", ["simple", "notify"])
def test_a_failure_is_seen_at_once(web: Units, kind: str) -> None:
    """However long a start may take, and before the unit has said that it is ready."""
    web.unit(f"Type={kind}\nNotifyAccess=all")
    web.configure(systemd_start_timeout="1h", health_total="1h")
    assert "refuses to start: the last line" in web.deploy("2-early", code=3).stderr
    as_before(web)


def test_a_version_that_is_never_ready(web: Units) -> None:
    web.configure(health_total="1s")
    assert "503" in web.deploy("2-never-ready", code=3).stderr
    as_before(web)


def test_a_unit_that_never_says_ready(web: Units) -> None:
    web.unit("Type=notify\nNotifyAccess=all")
    web.configure(systemd_start_timeout="1s")
    assert "2-silent did not start within 1.0 s" in web.deploy("2-silent", code=3).stderr
    as_before(web)
    web.deploy("2")
    assert web.instances() == {"green": "2"}


def test_a_version_that_dies_after_the_switch_and_is_started_again(web: Units) -> None:
    web.unit("Restart=always\nRestartSec=100ms")
    web.configure(watch="10s")
    done = web.deploy("2-dies-after:2", code=3)
    assert "died after 2 s: the last line" in done.stderr
    as_before(web)


def test_a_stop_that_hangs(web: Units) -> None:
    web.deploy("2-deaf")
    web.configure(systemd_stop_timeout="1s")
    assert f"warning: {web.name}@green.service did not end within 1.0 s: it is killed" in web.deploy("3").stderr
    assert web.instances() == {"blue": "3"}
    web.unit("TimeoutStopSec=1")
    web.configure()
    web.deploy("4-deaf")
    assert f"warning: {web.name}@green.service did not end by itself: systemd has killed it" in web.deploy("5").stderr
    assert web.instances() == {"blue": "5"}


@pytest.mark.parametrize("hook", ["before_switch", "after_switch", "after_release"])
def test_a_kill_in_mid_release(web: Units, hook: str) -> None:
    web.configure(**{f"hooks_{hook}": f"touch {web.folder}/there; exec sleep 600"})
    child = web.spawn("deploy", "web", "--version", "2")
    eventually(lambda: web.systemd.exec("test", "-e", f"{web.folder}/there").returncode == 0)
    web.kill(child)
    web.configure()
    web.run("recover")
    if hook == "after_release":
        assert (web.instances(), web.version()) == ({"green": "2"}, "2")
    else:
        as_before(web)


def test_the_manager_is_ended_in_mid_release(systemd: Systemd, prefix: str) -> None:
    """That of a user, with all its units. What is enabled comes up with it again; then the release is taken back."""
    with units(systemd, prefix, USER, live="") as web:
        web.configure(systemd_enable=True)
        web.run("start", "web:blue", "--version", "1")
        wait = f"touch {web.folder}/there; while [ -e {web.folder}/there ]; do sleep 0.1; done"
        web.configure(systemd_enable=True, hooks_before_switch=wait)
        child = web.spawn("deploy", "web", "--version", "2")
        eventually(lambda: systemd.exec("test", "-e", f"{web.folder}/there").returncode == 0)
        manager = f"user@{systemd.run('id', '-u', USER)}"
        systemd.run("systemctl", "stop", manager)
        systemd.run("rm", f"{web.folder}/there")
        _, said = child.communicate(timeout=60)
        assert child.returncode == 4, said
        assert f"the systemd manager of user {USER} does not run" in said
        assert "run: proxyswitch recover" in said
        systemd.run("systemctl", "start", manager)
        assert "took back" in web.run("recover").stderr
        eventually(lambda: web.version() == "1")
        assert web.instances() == {"blue": "1"}
        assert (web.show("blue", "UnitFileState"), web.show("green", "UnitFileState")) == ("enabled", "disabled")
