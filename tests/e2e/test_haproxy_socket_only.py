"""Only a runtime socket is known, or only a file; and HAProxies whose worker has no socket of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.system import net
from tests.e2e.clients import echo_server, upgraded
from tests.e2e.haproxy_pairs import again, done, facts, pair, same_workers, states, versions
from tests.e2e.haproxy_support import CONF, HaproxyBench, haproxy_bench
from tests.ports import free_port

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

WARNING = "only the running HAProxy is told: it forgets this at its next reload or restart"
SOCKETLESS = CONF.replace("    stats socket {folder}/admin.sock mode 600 level admin\n", "")


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory, haproxy_binary: str) -> Iterator[HaproxyBench]:
    """Both instances are there; blue serves. For tests by which nothing changes."""
    with haproxy_bench(tmp_path_factory.mktemp("still")) as place:
        yield pair(place)


@pytest.fixture
def both(ha_place: HaproxyBench) -> HaproxyBench:
    return pair(ha_place)


def by_socket(place: HaproxyBench, *words: str) -> tuple[str, ...]:
    return (*words, "--haproxy-socket", str(place.admin))


def test_a_switch_is_told_and_said_not_to_last(both: HaproxyBench) -> None:
    before = both.conf.read_bytes()
    with same_workers(both):
        result = done(both.run(*by_socket(both, "switch", "app_backend", "app-green")))
    assert "(runtime, " in result.out
    assert WARNING in result.err
    assert (versions(both), both.conf.read_bytes()) == ({"2"}, before)
    again(both, *by_socket(both, "switch", "app_backend", "app-green"))


def test_every_command_works(both: HaproxyBench) -> None:
    done(both.run(*by_socket(both, "weight", "app_backend", "app-blue=9", "app-green=3")))
    assert {name: row[:2] for name, row in facts(both).items()} == {"app-blue": (True, 9), "app-green": (True, 3)}
    done(both.run(*by_socket(both, "set", "app_backend/app-blue", "maint")))
    assert states(both)["app-blue"] == "maint"
    done(both.run(*by_socket(both, "rollback", "app_backend")))
    assert states(both)["app-blue"] == "ready"
    done(both.run(*by_socket(both, "drain", "app_backend/app-blue")))
    assert both.run(*by_socket(both, "get", "app_backend")).out == f"127.0.0.1:{both.green}\n"
    done(both.run(*by_socket(both, "switch", "app_backend", f"127.0.0.1:{both.instance('3')}")))
    assert versions(both) == {"3"}


def test_show_has_no_file_to_name(still: HaproxyBench) -> None:
    (pool,) = still.run(*by_socket(still, "show", "--json")).json["pools"]
    assert (pool["file"], pool["line"], pool["servers"][0]["file"]) == (None, None, None)
    assert [s["running"]["state"] for s in pool["servers"]] == ["ready", "maint"]
    assert "differs" not in still.run(*by_socket(still, "show")).err


def test_a_dry_run_speaks_of_no_file(still: HaproxyBench) -> None:
    with still.nothing_done():
        result = done(still.run(*by_socket(still, "switch", "app_backend", "app-green", "--dry-run")))
    assert "app-green: it runs as maint, not as ready" in result.out
    assert "file" not in result.out


def test_the_last_live_server_stays(still: HaproxyBench) -> None:
    with still.nothing_done():
        result = still.run(*by_socket(still, "set", "app_backend/app-blue", "drain"))
    assert result.code == 2
    assert "every request would fail with 503" in result.err


def test_nobody_listens_at_the_target(both: HaproxyBench) -> None:
    both.started[1].kill()
    both.started[1].wait()
    with both.nothing_done():
        result = both.run(*by_socket(both, "switch", "app_backend", "app-green"))
    assert result.code == 3
    assert "app-green" in result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("switch", "nope", "app-green"), "no pool 'nope'"),
        (("switch", "app_backend", "app-gren"), "did you mean app-green?"),
        (("weight", "app_backend", "app-blue=257"), "0 to 256"),
        (("switch", "app_backend", "app-green", "--mode", "reload"), "--mode reload: only the runtime socket is known"),
    ],
)
def test_what_is_wrong_is_named(still: HaproxyBench, words: tuple[str, ...], said: str) -> None:
    with still.nothing_done():
        result = still.run(*by_socket(still, *words))
    assert result.code == 2
    assert said in result.err


def test_a_server_is_added_to_what_runs_alone(both: HaproxyBench) -> None:
    new = f"127.0.0.1:{both.instance('3')}"
    with both.taken_back(), same_workers(both):
        result = done(both.run(*by_socket(both, "switch", "app_backend", "app-blue", "app-green", new)))
    assert WARNING in result.err
    assert versions(both) == {"1", "2", "3"}


@pytest.mark.parametrize("name", ["nope.sock", "127.0.0.1:{free}", "app.sock/x"])
def test_a_socket_that_is_not_there_is_named(still: HaproxyBench, name: str) -> None:
    socket = still.filled(name, free=free_port()) if ":" in name else str(still.folder / name)
    with still.nothing_done():
        result = still.run("switch", "app_backend", "app-green", "--haproxy-socket", socket)
    assert result.code == 3
    assert socket in result.err


def test_a_socket_that_is_no_address_is_named(still: HaproxyBench) -> None:
    with still.nothing_done():
        result = still.run("show", "--haproxy-socket", "what")
    assert result.code == 2
    assert "'what' is no address" in result.err


def test_the_option_overrides_the_sockets_of_the_config(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, conf=CONF.replace("    maxconn 500\n", "    stats socket {folder}/low.sock level user\n"))
    named = ("--haproxy-conf", str(place.conf), "--haproxy-socket")
    with place.nothing_done():
        result = place.run("switch", "app_backend", "app-green", *named, str(place.folder / "low.sock"))
    assert result.code == 2
    assert f"{place.folder}/low.sock has `level user`" in result.err
    done(place.run("switch", "app_backend", "app-green", *named, str(place.admin)))
    assert versions(place) == {"2"}
    assert " disabled # blue" in place.conf.read_text()


def test_a_tcp_socket_is_one_too(ha_place: HaproxyBench) -> None:
    free = free_port()
    line = f"    maxconn 500\n    stats socket ipv4@127.0.0.1:{free} level admin\n"
    place = pair(ha_place, conf=CONF.replace("    maxconn 500\n", line))
    done(place.run("switch", "app_backend", "app-green", "--haproxy-socket", f"127.0.0.1:{free}"))
    assert versions(place) == {"2"}


# no socket of its own


class ByMaster(HaproxyBench):
    """The worker is asked through the master socket."""

    def ask(self, command: str) -> str:
        return self.ask_master(f"@1 {command}")


class Mute(HaproxyBench):
    """Nobody can be asked."""

    def answering(self) -> int:
        return next(iter(set(net.listeners(self.endpoint)) - {self.master.pid if self.has_master else 0}), 0)

    def known_to_master(self, workers: set[int]) -> bool:
        return True

    def lasting(self) -> set[tuple[str, ...]]:
        return set()


@pytest.fixture
def by_master(tmp_path: Path, haproxy_binary: str) -> Iterator[HaproxyBench]:
    place = ByMaster(tmp_path)
    try:
        yield pair(place, conf=SOCKETLESS)
    finally:
        place.stop()


@pytest.fixture(params=[True, False], ids=["master and worker", "one process"])
def mute(tmp_path: Path, haproxy_binary: str, request: pytest.FixtureRequest) -> Iterator[HaproxyBench]:
    place = Mute(tmp_path)
    try:
        place.write(place.instance("1"), conf=SOCKETLESS, green=place.instance("2"))
        place.start(*(["-W"] if request.param else []), master=False)  # without -S
        yield place
    finally:
        place.stop()


def test_the_master_socket_is_enough(by_master: HaproxyBench) -> None:
    with same_workers(by_master):
        result = done(by_master.run("switch", "app_backend", "app-green", "--drain", "20s", "--json"))
    assert result.json["mode"] == "runtime"
    assert versions(by_master) == {"2"}
    again(by_master, "switch", "app_backend", "app-green")
    before = facts(by_master)
    by_master.reload()
    assert facts(by_master) == before


def test_the_master_socket_shows_what_runs(by_master: HaproxyBench) -> None:
    by_master.tell("set server app_backend/app-blue weight 7")
    said = by_master.run("show").err
    assert "app-blue" in said
    assert "its weight is 7, not 1" in said


def test_by_the_master_socket_a_reload_works_too(by_master: HaproxyBench) -> None:
    old = by_master.workers_now
    done(by_master.run("switch", "app_backend", "app-green", "--mode", "reload"))
    assert not by_master.workers_now <= old
    assert versions(by_master) == {"2"}


def test_without_any_socket_it_is_a_reload(mute: HaproxyBench) -> None:
    old = mute.workers_now
    result = done(mute.run("switch", "app_backend", "app-green", "--json"))
    assert (result.json["mode"], result.json["changed"]) == ("reload", True)
    assert not mute.workers_now <= old
    assert versions(mute) == {"2"}
    again(mute, "switch", "app_backend", "app-green")
    done(mute.run("rollback", "app_backend"))
    assert versions(mute) == {"1"}


def test_without_any_socket_mode_runtime_is_refused(mute: HaproxyBench) -> None:
    with mute.nothing_done():
        result = mute.run("switch", "app_backend", "app-green", "--mode", "runtime")
    assert result.code == 2
    assert "takes a reload" in result.err


def test_without_any_socket_drain_waits_for_the_old_process(tmp_path: Path, haproxy_binary: str) -> None:
    place = Mute(tmp_path)
    try:
        with echo_server() as port:
            place.write(port, conf=SOCKETLESS, green=place.instance("2"))
            place.start(master=False)
            with upgraded(place):
                result = place.run("switch", "app_backend", "app-green", "--drain", "300ms")
                assert result.code == 5
                assert "old worker" in result.err
            done(place.run("switch", "app_backend", "app-green", "--drain", "30s"))
            assert len(place.workers_now) == 1
    finally:
        place.stop()
