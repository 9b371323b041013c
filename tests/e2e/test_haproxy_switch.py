"""`switch` on a real HAProxy: at once by the runtime API, in the file so that it lasts, and silent when it is so already."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.haproxy_pairs import BLUE, GREEN, again, done, facts, lasts, pair, same_workers, states, versions
from tests.e2e.haproxy_support import HaproxyBench, haproxy_bench
from tests.ports import free_port

pytest_plugins = ["tests.e2e.haproxy_fixtures"]


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory, haproxy_binary: str) -> Iterator[HaproxyBench]:
    """Both instances are there; blue serves. For tests by which nothing changes."""
    with haproxy_bench(tmp_path_factory.mktemp("still")) as place:
        yield pair(place)


@pytest.fixture
def both(ha_place: HaproxyBench) -> HaproxyBench:
    """Both instances are there; blue serves."""
    return pair(ha_place)


@pytest.mark.parametrize("master", [True, False], ids=["master and worker", "one process"])
def test_traffic_moves_at_once_and_it_lasts(ha_place: HaproxyBench, master: bool) -> None:
    place = pair(ha_place, master=master)
    before = place.conf.read_text()
    with same_workers(place):
        result = done(place.run("switch", "app_backend", "app-green"))
    assert re.fullmatch(r"app_backend: app-blue → app-green \(runtime, [\d.]+ s\)\n", result.out)
    assert result.err == ""
    assert (versions(place), states(place)) == ({"2"}, {"app-blue": "drain", "app-green": "ready"})
    blue, green = f"127.0.0.1:{place.blue} check inter 200ms", f"127.0.0.1:{place.green} check inter 200ms"
    assert place.conf.read_text() == before.replace(f"{blue}        #", f"{blue} disabled #").replace(
        f"{green} disabled", green
    )
    again(place, "switch", "app_backend", "app-green")
    lasts(place)
    assert versions(place) == {"2"}


def test_it_goes_there_and_back_without_a_trace(both: HaproxyBench) -> None:
    words = [line.split() for line in both.conf.read_text().splitlines()]
    for target, version in (("app-green", "2"), ("app-blue", "1")):
        done(both.run("switch", "app_backend", target))
        assert versions(both) == {version}
    assert [line.split() for line in both.conf.read_text().splitlines()] == words


def test_a_server_is_known_by_its_address(both: HaproxyBench) -> None:
    done(both.run("switch", "app_backend", f"127.0.0.1:{both.green}"))
    assert states(both) == {"app-blue": "drain", "app-green": "ready"}
    again(both, "switch", "app_backend", "app-green")


def test_both_can_be_targets(both: HaproxyBench) -> None:
    done(both.run("switch", "app_backend", "app-green", "app-blue"))
    assert versions(both) == {"1", "2"}
    again(both, "switch", "app_backend", "app-blue", "app-green", "app-blue")
    lasts(both)


def test_a_new_address_takes_over_the_live_line_without_a_reload(both: HaproxyBench) -> None:
    new, before = both.instance("3"), both.conf.read_text()
    with same_workers(both):
        done(both.run("switch", "app_backend", f"127.0.0.1:{new}"))
    assert (versions(both), both.address_of(*BLUE)) == ({"3"}, f"127.0.0.1:{new}")
    assert both.conf.read_text() == before.replace(f"127.0.0.1:{both.blue} check", f"127.0.0.1:{new} check")
    again(both, "switch", "app_backend", f"127.0.0.1:{new}")
    lasts(both)


def test_json_says_what_was_and_what_is(both: HaproxyBench) -> None:
    result = done(both.run("switch", "app_backend", "app-green", "--json"))
    assert len(result.out.splitlines()) == 1
    expected = {"changed": True, "pool": "app_backend", "from": ["app-blue"], "to": ["app-green"], "mode": "runtime"}
    assert {key: result.json[key] for key in expected} == expected
    assert 0 < result.json["socket_seconds"] < result.json["seconds"]
    so_already = both.run("switch", "app_backend", "app-green", "--json").json
    assert (so_already["changed"], so_already["from"], so_already["to"]) == (False, ["app-green"], ["app-green"])


def test_quiet_says_nothing(both: HaproxyBench) -> None:
    result = both.run("switch", "app_backend", "app-green", "-q", "--drain", "20s")
    assert (result.code, result.out, result.err, versions(both)) == (0, "", "", {"2"})


# how it is done


def test_mode_reload_reloads(both: HaproxyBench) -> None:
    old = both.workers_now
    result = done(both.run("switch", "app_backend", "app-green", "--mode", "reload", "--json"))
    assert result.json["mode"] == "reload"
    assert not both.workers_now <= old
    assert (versions(both), facts(both)["app-blue"][0]) == ({"2"}, False)
    again(both, "switch", "app_backend", "app-green", "--mode", "reload")
    lasts(both)


def test_mode_runtime_does_what_needs_no_reload(both: HaproxyBench) -> None:
    with same_workers(both):
        done(both.run("switch", "app_backend", "app-green", "--mode", "runtime"))
    assert versions(both) == {"2"}


def test_mode_runtime_refuses_what_takes_a_reload(still: HaproxyBench) -> None:
    with still.nothing_done():
        result = still.run("switch", "app_backend", f"unix:{still.folder}/app.sock", "--mode", "runtime")
    assert result.code == 2
    assert "--mode runtime: this change of app_backend takes a reload" in result.err


def test_a_mode_that_is_none_is_refused(still: HaproxyBench) -> None:
    with still.nothing_done():
        result = still.run("switch", "app_backend", "app-green", "--mode", "magic")
    assert result.code == 2
    assert "auto, reload, runtime" in result.err


# looking first


def marks(place: HaproxyBench) -> dict[str, tuple[int, int, int]]:
    """Every file and folder with what changes when it is touched."""
    found = {str(p): p.lstat() for p in (place.folder, *place.folder.rglob("*"))}
    return {name: (s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for name, s in found.items()}


def test_a_dry_run_touches_nothing(both: HaproxyBench) -> None:
    before = marks(both)
    with both.nothing_done():
        result = done(both.run("switch", "app_backend", "app-green", "--dry-run", "--drain", "5s"))
        as_json = both.run("switch", "app_backend", "app-green", "--dry-run", "--json").json
    assert marks(both) == before
    assert not both.state.exists()
    assert re.search(
        r"\n-    server app-blue .*# blue\n-    server app-green .* disabled\n\+    server app-blue ", result.out
    )
    assert (as_json["would_change"], as_json["changed"]) == (True, False)


def test_check_tells_by_its_exit_code(both: HaproxyBench) -> None:
    with both.nothing_done():
        assert both.run("switch", "app_backend", "app-green", "--check", "-q").code == 1
        assert both.run("switch", "app_backend", "app-blue", "--check", "-q").code == 0
        assert both.run("switch", "app_backend", "app-red", "--check", "-q").code == 2
    assert not both.state.exists()


def test_check_sees_what_only_the_process_has_forgotten(both: HaproxyBench) -> None:
    both.tell("set server app_backend/app-blue state drain")
    with both.nothing_done():
        result = both.run("switch", "app_backend", "app-blue", "--check")
    assert result.code == 1
    assert "app-blue: it runs as drain, not as ready" in result.out
    assert not both.state.exists()


# targets that are wrong


def test_a_target_where_nobody_listens_is_refused(ha: HaproxyBench) -> None:
    with ha.nothing_done():
        result = ha.run("switch", "app_backend", "app-green", "--json")
    assert (result.code, result.json["exit"], result.json["changed"]) == (3, 3, False)
    assert f"app-green (127.0.0.1:{ha.green}) does not answer: Connection refused" in result.err
    assert result.json["state"] == "everything is as before"
    assert ha.version() == "1"


def test_a_new_address_where_nobody_listens_is_refused(ha: HaproxyBench) -> None:
    with ha.nothing_done():
        result = ha.run("switch", "app_backend", f"127.0.0.1:{free_port()}")
    assert result.code == 3
    assert "app-blue (127.0.0.1:" in result.err
    assert "does not answer" in result.err


def test_force_switches_to_where_nobody_listens(ha: HaproxyBench) -> None:
    done(ha.run("switch", "app_backend", "app-green", "--force"))
    assert states(ha) == {"app-blue": "drain", "app-green": "ready"}
    lasts(ha)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("app-gren", "did you mean app-green?"),
        ("127.0.0.1:99999", "port 99999 is out of range (1 to 65535)"),
        ("127.0.0.1", "the port is missing"),
        ("3002", "did you mean 127.0.0.1:3002?"),
        ("127.0.0.1:3002 disabled", "is no port number"),
        ("127.0.0.1:3002\nbackend x", "is no port number"),
    ],
)
def test_a_target_that_is_none_is_named(still: HaproxyBench, target: str, said: str) -> None:
    with still.nothing_done():
        result = still.run("switch", "app_backend", target)
    assert result.code == 2
    assert said in result.err


def test_an_unknown_pool_is_named(still: HaproxyBench) -> None:
    with still.nothing_done():
        result = still.run("switch", "app_backnd", "app-green", "--json")
    assert (result.code, result.json["changed"]) == (2, False)
    assert "did you mean 'app_backend'?" in result.err


def test_a_frontend_is_no_pool(still: HaproxyBench) -> None:
    with still.nothing_done():
        result = still.run("switch", "www", "app-green")
    assert result.code == 2
    assert "no pool 'www'" in result.err


# gates


def test_a_target_that_never_gets_healthy_is_not_switched_to(both: HaproxyBench) -> None:
    ill = both.instance("3", APP_BROKEN="never-healthy")
    words = ("--health", f"http://127.0.0.1:{ill}/health", "--health-timeout", "300ms", "--json")
    with both.nothing_done():
        result = both.run("switch", "app_backend", f"127.0.0.1:{ill}", *words)
    assert (result.code, result.json["exit"], result.json["changed"]) == (3, 3, False)
    assert "503" in result.err
    assert versions(both) == {"1"}


def test_a_healthy_target_is_switched_to(both: HaproxyBench) -> None:
    done(both.run("switch", "app_backend", "app-green", "--health", f"http://127.0.0.1:{both.green}/health"))
    assert versions(both) == {"2"}


def test_the_state_stays_as_it_is_known_to_haproxy(both: HaproxyBench) -> None:
    """A server that was told to be in maintenance at runtime is out; switching to it brings it in."""
    both.tell("set server app_backend/app-green state maint")
    done(both.run("switch", "app_backend", "app-green"))
    assert (both.state_of(*GREEN), both.state_of(*BLUE)) == ("ready", "drain")
