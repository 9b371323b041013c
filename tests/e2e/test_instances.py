"""`start`, `stop`, `restart` and `logs` of the slots of an app."""

from __future__ import annotations

import pytest

from proxyswitch.system import locks
from tests.e2e.shop import Shop


def test_start_starts_and_waits_but_moves_no_traffic(web: Shop) -> None:
    pools = web.bench.pools.read_text()
    result = web.run("start", "web:green", "--version", "2", "--json")
    assert (result.code, result.json) == (0, {"changed": True, "app": "web", "started": ["green"]}), result.err
    assert web.instances() == {"blue": "1", "green": "2"}
    assert web.bench.pools.read_text() == pools
    assert web.bench.version() == "1"
    again = web.run("start", "web:green", "--version", "2")
    assert (again.code, again.out, again.err) == (0, "", "")
    assert web.run("start", "web:green", "--json").json == {"changed": False, "app": "web", "started": []}


def test_start_without_a_slot_means_the_live_one_and_the_version_that_ran_last(web: Shop) -> None:
    web.deploy("2")
    assert web.run("stop", "web", "--force").code == 0
    assert web.instances() == {}
    result = web.run("start", "web")
    assert (result.code, result.out) == (0, "web: started green\n"), result.err
    assert web.instances() == {"green": "2"}
    assert web.bench.version() == "2"


@pytest.mark.parametrize(("version", "said"), [("2-crashes", "crashed: cannot reach the database"), ("2-ill", "status 503")])
def test_a_start_that_fails_leaves_nothing_running(web: Shop, version: str, said: str) -> None:
    web.configure(total="500ms")
    result = web.run("start", "web:green", "--version", version)
    assert result.code == 3
    assert said in result.err
    assert web.instances() == {"blue": "1"}
    assert not web.listening("green")


def test_stop_refuses_a_live_slot_unless_forced(web: Shop) -> None:
    for words in (("web",), ("web:blue",)):
        result = web.run("stop", *words)
        assert result.code == 2
        assert "slot blue of web is live: the pool app_backend sends its traffic there" in result.err
    assert web.instances() == {"blue": "1"}
    forced = web.run("stop", "web:blue", "--force", "--json")
    assert (forced.code, forced.json) == (0, {"changed": True, "app": "web", "stopped": ["blue"]})
    assert not web.listening("blue")
    again = web.run("stop", "web:blue")
    assert (again.code, again.out, again.err) == (0, "", "")


def test_stop_of_an_idle_slot_needs_no_force(web: Shop) -> None:
    assert web.run("start", "web:green", "--version", "2").code == 0
    result = web.run("stop", "web:green")
    assert (result.code, result.out) == (0, "web: stopped green\n")
    assert web.instances() == {"blue": "1"}


def test_stop_of_a_live_slot_is_free_when_nginx_does_not_run(web: Shop) -> None:
    web.bench.stop()
    assert web.run("stop", "web").code == 0
    assert web.instances() == {}


def test_restart_keeps_the_version_and_changes_the_process(web: Shop) -> None:
    before = web.runs("blue")
    result = web.run("restart", "web", "--json")
    assert (result.code, result.json) == (0, {"changed": True, "app": "web", "restarted": ["blue"]}), result.err
    assert web.instances() == {"blue": "1"}
    assert web.runs("blue") != before
    assert web.run("restart", "web:blue", "--version", "1b", "-q").out == ""
    assert web.instances() == {"blue": "1b"}


def test_logs_are_of_the_live_slot_or_the_named_one(web: Shop) -> None:
    assert web.run("start", "web:green", "--version", "2").code == 0
    assert web.run("logs", "web").out == f"version 1 (blue) listens on 127.0.0.1:{web.blue}\n"
    assert web.run("logs", "web:green", "-n", "1").out == f"version 2 (green) listens on 127.0.0.1:{web.green}\n"
    assert web.run("stop", "web:green").code == 0
    assert "version 2 (green)" in web.run("logs", "web:green").out


@pytest.mark.parametrize("command", ["start", "stop", "restart", "logs"])
def test_what_is_not_there_is_named(web: Shop, command: str) -> None:
    for target, said in (("wep", "no app 'wep' in"), ("web:grene", "web has no slot 'grene'; it has blue, green")):
        result = web.run(command, target)
        assert result.code == 2
        assert said in result.err
    assert web.instances() == {"blue": "1"}
    assert not (web.bench.state / "locks" / "app-wep.lock").exists()


def test_while_a_release_works_they_are_busy(web: Shop) -> None:
    with locks.hold(web.bench.state / "locks" / "app-web.lock", "the app web", 0):
        for command in ("start", "stop", "restart"):
            assert web.run(command, "web:green").code == 75
    assert web.instances() == {"blue": "1"}
