"""`deploy`, `rollback` and `status` of an app behind a real HAProxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from proxyswitch.system import proc, signals
from tests.e2e.haproxy_holders import Keeper
from tests.e2e.haproxy_pairs import done, lasts, states
from tests.e2e.haproxy_support import CONF, POOLS, HaproxyBench
from tests.e2e.shop import Long, Shop, python, shop, wait

pytest_plugins = ["tests.e2e.haproxy_fixtures"]


@pytest.fixture
def empty(ha_place: HaproxyBench) -> Iterator[Shop]:
    """An app that was never released."""
    with shop(ha_place, "haproxy") as made:
        yield made


@pytest.fixture
def web(empty: Shop) -> Shop:
    """Version 1 of the app is live in slot blue."""
    done(empty.run("start", "web:blue", "--version", "1"))
    wait(lambda: ready(empty, "app-blue"))
    return empty


def bench(web: Shop) -> HaproxyBench:
    assert isinstance(web.bench, HaproxyBench)
    return web.bench


def ready(web: Shop, server: str) -> bool:
    """True when HAProxy's own check has found it."""
    return bench(web).servers["app_backend", server]["srv_op_state"] == "2"


def untouched(web: Shop) -> None:
    """Version 1 serves from blue, nothing else runs, and nothing is left to recover."""
    assert web.instances() == {"blue": "1"}
    assert not web.listening("green")
    assert web.bench.version() == "1"
    assert web.live() == "blue"
    assert web.journals() == []
    assert states(bench(web))["app-blue"] == "ready"
    assert bench(web).accepts()


def test_the_first_release_of_an_app(empty: Shop) -> None:
    result = empty.deploy("1")
    assert result.out.startswith("web: unknown (blue) → 1 (green)")
    assert (empty.instances(), empty.bench.version(), empty.live()) == ({"green": "1"}, "1", "green")
    assert empty.journals() == []


def test_the_first_release_where_the_pool_leads_elsewhere(empty: Shop) -> None:
    place = bench(empty)
    place.write(9, green=empty.green)
    place.reload()
    result = empty.deploy("1", "--json")
    assert result.json["from"] == {"slot": "", "version": ""}
    assert (empty.bench.version(), len(empty.instances())) == ("1", 1)


def test_each_release_takes_the_other_slot_and_ends_the_old_version(web: Shop) -> None:
    before, workers = bench(web).conf.read_text(), bench(web).workers_now
    first = web.deploy("2", "--json")
    assert (first.json["from"], first.json["to"]) == ({"slot": "blue", "version": "1"}, {"slot": "green", "version": "2"})
    assert first.json["mode"] == "runtime"
    assert (web.instances(), web.bench.version(), web.live()) == ({"green": "2"}, "2", "green")
    assert not web.listening("blue")
    second = web.deploy("3")
    assert second.out.startswith("web: 2 (green) → 3 (blue) (")
    assert (web.instances(), web.bench.version(), web.live()) == ({"blue": "3"}, "3", "blue")
    assert [line.split() for line in bench(web).conf.read_text().splitlines()] == [
        line.split() for line in before.splitlines()
    ]
    assert bench(web).workers_now == workers
    assert web.releases() == [("release", "2", "done"), ("release", "3", "done")]
    lasts(bench(web))


def test_rollback_goes_back_to_the_version_before(web: Shop) -> None:
    web.deploy("2")
    result = done(web.run("rollback", "web"))
    assert result.out.startswith("web: 2 (green) → 1 (blue)")
    assert (web.instances(), web.bench.version(), web.live()) == ({"blue": "1"}, "1", "blue")
    assert web.run("rollback", "web").code == 2


def test_status_tells_what_is_live(web: Shop) -> None:
    web.deploy("2")
    (app,) = done(web.run("status", "--json")).json["apps"]
    slots = {slot["slot"]: slot for slot in app["slots"]}
    assert (app["pool"], app["problem"], app["interrupted"]) == ("app_backend", "", False)
    assert (slots["green"]["live"], slots["green"]["healthy"], slots["green"]["version"]) == (True, True, "2")
    assert (slots["blue"]["live"], slots["blue"]["running"]) == (False, False)
    process = web.runs("green")
    assert process
    signals.send(process, signals.KILL)
    wait(lambda: not proc.alive(process))
    assert web.run("status").code == 1


def test_a_version_that_never_gets_healthy_is_ended_again(web: Shop) -> None:
    web.configure(total="1s")
    with bench(web).taken_back():
        servers = bench(web).lasting()
        result = web.deploy("2-ill", "--json", code=3)
        assert bench(web).lasting() == servers
    assert "503" in result.json["error"]
    assert result.json["state"] == "everything is as before: web 1 serves from slot blue"
    untouched(web)
    assert web.releases() == [("release", "2-ill", "failed")]


def test_a_version_that_dies_in_the_watch_gives_the_traffic_back(web: Shop) -> None:
    crash = python(
        "import os, urllib.request",
        "try: urllib.request.urlopen('http://' + os.environ['PROXYSWITCH_ADDRESS'] + '/crash')",
        "except OSError: pass",
    )
    web.configure(hooks={"after_switch": crash}, watch="60s")
    conf, old = bench(web).conf.read_text().split(), web.runs("blue")
    result = web.deploy("2", code=3)
    assert "crashed: /crash was asked for" in result.err
    assert (bench(web).conf.read_text().split(), web.runs("blue")) == (conf, old)
    untouched(web)
    assert [(e["kind"], e["result"]) for e in web.history()] == [
        ("switch", "done"),
        ("rollback", "done"),
        ("release", "failed"),
    ]


def test_the_old_slot_is_drained_before_it_is_stopped(web: Shop) -> None:
    long = Long(web, 1.5)
    web.deploy("2")
    assert long.end() == "1"
    assert web.instances() == {"green": "2"}


def test_an_old_side_that_does_not_drain_is_left_and_cleared_by_a_later_release(web: Shop) -> None:
    web.configure(drain="300ms")
    long = Long(web, 5.0)
    result = web.deploy("2", "--json", code=5)
    assert result.json["state"] == "switched; the old side is left running"
    assert "1 session on app_backend/app-blue" in result.err
    assert web.instances() == {"blue": "1", "green": "2"}
    assert "the slot is not free yet" in web.deploy("3", code=3).err
    assert long.open
    web.configure(drain="30s")
    web.deploy("3")
    assert long.end() == "1"
    assert (web.instances(), web.bench.version()) == ({"blue": "3"}, "3")


def test_no_request_is_lost_and_the_versions_follow_each_other(web: Shop) -> None:
    with Load(Endpoint("127.0.0.1", web.bench.port), long_seconds=0.5, limit=60) as load:
        wait(lambda: load.summary().by_request.get("long", {}).get("ok"))
        web.deploy("2")
        wait(lambda: load.summary().by_version.get("2", 0) > 50)
        done(web.run("rollback", "web"))
    seen = load.summary()
    assert (seen.failures, seen.reused_closed) == (0, 0), seen.errors
    assert set(seen.by_version) == {"1", "2"}


@pytest.mark.parametrize("place", ["conf", "socket"])
def test_where_haproxy_is_can_stand_in_the_settings(web: Shop, place: str) -> None:
    """Without an option on the command line; by its socket alone the config does not follow."""
    conf = bench(web).conf.read_text()
    web.configure(conf="" if place == "socket" else str(bench(web).conf), socket=str(bench(web).admin))
    argv = bench(web).argv("deploy", "web", "--version", "2", "--json")[:-2]
    found = bench(web).attempt(["/usr/bin/env", f"PROXYSWITCH_STATE={web.bench.state}", *argv])
    assert found.returncode == 0, found.stderr
    assert web.bench.version() == "2"
    assert (bench(web).conf.read_text() == conf) == (place == "socket")
    assert ("it forgets this at its next reload" in found.stderr) == (place == "socket")


def test_a_pool_that_is_not_there_is_said(web: Shop) -> None:
    web.configure(pool="app_backand")
    assert "did you mean 'app_backend'?" in web.deploy("2", code=2).err
    untouched(web)


def test_a_socket_that_is_not_there_is_said_before_anything_is_done(web: Shop) -> None:
    web.configure(socket=str(bench(web).folder / "nothing.sock"))
    with bench(web).nothing_done():
        result = web.deploy("2", code=3)
    assert "nothing.sock: there is no such socket" in result.err
    web.configure()
    untouched(web)


def test_a_config_that_haproxy_rejects_stops_the_release(web: Shop) -> None:
    web.configure(hooks={"before_switch": "echo '    bogus yes' >> haproxy.cfg"})
    conf = bench(web).conf.read_text()
    result = web.deploy("2", code=3)
    assert "bogus" in result.err
    bench(web).conf.write_text(conf)
    untouched(web)


def test_clients_with_a_cookie_are_on_the_new_version_before_the_old_is_stopped(empty: Shop) -> None:
    pools = POOLS.replace("backend app_backend\n", "backend app_backend\n    cookie SRV insert indirect\n")
    pools = pools.replace("{blue} check", "{blue} cookie blue check").replace("{green} check", "{green} cookie green check")
    bench(empty).write(empty.blue, conf=CONF, pools=pools, green=empty.green)
    bench(empty).reload()
    empty.configure(drain="3s")
    done(empty.run("start", "web:blue", "--version", "1"))
    wait(lambda: ready(empty, "app-blue"))
    with Keeper(bench(empty)) as client:
        empty.deploy("2")
        wait(lambda: client.latest == "2" or client.errors)
    assert client.errors == []
    assert empty.instances() == {"green": "2"}
