"""`show` and `get` of HAProxy pools: what the file says, what runs, and where the two differ."""

from __future__ import annotations

import os

import pytest

from proxyswitch.system import clock
from tests.e2e.clients import echo_server, upgraded
from tests.e2e.haproxy_pairs import differences, done, pair, shown
from tests.e2e.haproxy_support import POOLS, WITH_STATE, HaproxyBench
from tests.e2e.support import eventually
from tests.ports import free_port

pytest_plugins = ["tests.e2e.haproxy_fixtures"]


@pytest.fixture
def both(ha_place: HaproxyBench) -> HaproxyBench:
    return pair(ha_place)


def table(place: HaproxyBench, *words: str) -> dict[str, list[str]]:
    """What `show` prints into a pipe, by the names of the servers."""
    header, *rows = [line.split("\t") for line in done(place.run("show", *words)).out.splitlines()]
    assert header == ["pool", "server", "state", "weight", "connections", "health", "where"]
    return {row[1].split()[0]: row for row in rows}


def test_a_pipe_gets_tab_separated_lines(both: HaproxyBench) -> None:
    rows = table(both)
    assert rows["app-blue"] == [
        "app_backend",
        f"app-blue 127.0.0.1:{both.blue}",
        "ready",
        "1",
        "0",
        "UP",
        f"{both.conf}:{both.conf.read_text().splitlines().index(lines(both)[0]) + 1}",
    ]
    assert rows["app-green"][2:6] == ["maint", "1", "0", "MAINT"]


def lines(place: HaproxyBench) -> list[str]:
    return [line for line in place.conf.read_text().splitlines() if line.startswith("    server ")]


def test_json_has_what_the_file_says_and_what_runs(both: HaproxyBench) -> None:
    answer = both.run("show", "app_backend", "--json").json
    (pool,) = answer["pools"]
    assert (pool["name"], pool["proxy"], pool["context"], pool["file"]) == ("app_backend", "haproxy", "http", str(both.conf))
    blue, green = pool["servers"]
    assert (blue["name"], blue["address"], blue["state"], blue["live"]) == (
        "app-blue",
        f"127.0.0.1:{both.blue}",
        "ready",
        True,
    )
    assert blue["running"] == {"state": "ready", "weight": 1, "address": f"127.0.0.1:{both.blue}", "health": "UP"}
    assert (green["down"], green["running"]["state"], green["differs"]) == (True, "maint", [])
    assert answer["proxies"][0]["running"] is True


def test_looking_changes_nothing(both: HaproxyBench) -> None:
    with both.nothing_done():
        for words in (("show",), ("show", "--json"), ("get", "app_backend"), ("get", "app_backend", "--other")):
            assert both.run(*words).code == 0
    assert not both.state.exists()


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("set server app_backend/app-blue state drain", "it runs as drain, not as ready"),
        ("set server app_backend/app-blue state maint", "it runs as maint, not as ready"),
        ("set server app_backend/app-blue weight 50", "its weight is 50, not 1"),
        ("set server app_backend/app-blue addr 127.0.0.9", "it runs at 127.0.0.9:{blue}, not at 127.0.0.1:{blue}"),
    ],
)
def test_what_runs_otherwise_is_marked(both: HaproxyBench, told: str, says: str) -> None:
    both.ask(told)
    found = differences(both)
    assert list(found) == ["app-blue"]
    assert both.filled(says) in "; ".join(found["app-blue"])
    row = table(both)["app-blue"]
    assert "*" in row[2]
    assert both.filled(says) in both.run("show").err


def test_a_server_in_drain_counts_as_out_as_the_file_says(both: HaproxyBench) -> None:
    both.tell("set server app_backend/app-green state drain")
    assert differences(both) == {}


def test_a_file_that_was_edited_and_not_loaded_is_told_of(both: HaproxyBench) -> None:
    both.conf.write_text(both.conf.read_text() + "    server app-red 127.0.0.1:9 disabled\n")
    os.utime(both.conf, (later := clock.wall() + 5, later))  # start times count in 0.01 s: what is at once does not count
    result = both.run("show")
    assert "app-red" in result.out
    assert "HAProxy does not have it: the file was changed since it was loaded" in result.err
    assert both.run("show", "--json").json["proxies"][0]["changed_since_load"] == [str(both.conf)]


def test_after_our_change_nothing_is_pending(both: HaproxyBench) -> None:
    done(both.run("switch", "app_backend", "app-green"))
    assert both.run("show", "--json").json["proxies"][0]["changed_since_load"] == []


def test_a_stale_state_file_is_told_of(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, conf=WITH_STATE)
    place.save_state()
    place.tell("set server app_backend/app-green state ready")
    (said,) = [text for text in shown(place)["app-green"]["differs"] if "state file" in text]
    assert f"the state file {place.state_file} has it as maint" in said


def test_a_server_that_only_runs_is_told_of(both: HaproxyBench) -> None:
    assert "New server registered" in both.ask("add server app_backend/alone 127.0.0.1:9")
    result = both.run("show")
    assert "alone" in result.out + result.err
    assert "only the running HAProxy has it: it is gone after a reload" in result.err


def test_sessions_are_counted(ha_place: HaproxyBench) -> None:
    with echo_server() as port:
        ha_place.write(port)
        ha_place.start()
        with upgraded(ha_place), upgraded(ha_place):
            assert shown(ha_place)["app-blue"]["connections"] == 2
        assert eventually(lambda: shown(ha_place)["app-blue"]["connections"] == 0)


def test_all_pools_with_their_names(ha_place: HaproxyBench) -> None:
    """Names that are prefixes of each other, servers of the same name, a pool without servers."""
    more = "backend app\n    server app-blue 127.0.0.1:9 disabled\n    server app 127.0.0.1:8\nbackend app-2\n"
    more += "listen empty\n    bind :{free}\n"
    place = pair(ha_place, pools=POOLS + more, free=free_port())
    pools = {p["name"]: [s["name"] for s in p["servers"]] for p in place.run("show", "--json").json["pools"]}
    assert pools == {"app_backend": ["app-blue", "app-green"], "app": ["app-blue", "app"], "app-2": []}
    assert shown(place, pool="app")["app-blue"]["running"]["state"] == "maint"
    assert shown(place)["app-blue"]["running"]["state"] == "ready"
    only = place.run("show", "app", "--json").json["pools"]
    assert [p["name"] for p in only] == ["app"]


def test_one_pool_that_is_not_there(both: HaproxyBench) -> None:
    result = both.run("show", "app_backnd")
    assert (result.code, result.out) == (2, "")
    assert "did you mean 'app_backend'?" in result.err


def test_a_socket_that_answers_nobody_is_an_error(both: HaproxyBench) -> None:
    both.admin.unlink()
    result = both.run("show")
    assert result.code == 3
    assert f"{both.admin}: there is no such socket" in result.err


# get


def test_get_prints_where_traffic_goes(both: HaproxyBench) -> None:
    assert both.run("get", "app_backend").out == f"127.0.0.1:{both.blue}\n"
    assert both.run("get", "app_backend", "--other").out == f"127.0.0.1:{both.green}\n"
    assert both.run("get", "haproxy:app_backend", "--format", "{host} {port}").out == f"127.0.0.1 {both.blue}\n"
    assert both.run("get", "app_backend", "--json").json["endpoints"] == [f"127.0.0.1:{both.blue}"]


def test_get_goes_by_what_runs(both: HaproxyBench) -> None:
    both.tell("set server app_backend/app-blue state maint")
    both.tell("set server app_backend/app-green state ready")
    assert both.run("get", "app_backend").out == f"127.0.0.1:{both.green}\n"
    assert both.run("get", "app_backend", "--other").out == f"127.0.0.1:{both.blue}\n"
    both.tell("set server app_backend/app-green state drain")
    assert (both.run("get", "app_backend").code, both.run("get", "app_backend").out) == (1, "")


def test_a_script_can_switch_back_and_forth(both: HaproxyBench) -> None:
    for version in ("2", "1"):
        target = done(both.run("get", "app_backend", "--other")).out.strip()
        done(both.run("switch", "app_backend", target, "-q"))
        assert both.version() == version


@pytest.mark.parametrize("words", [("nope",), ("app_backend", "--format", "{x}"), ("www",)])
def test_get_names_what_is_wrong(both: HaproxyBench, words: tuple[str, ...]) -> None:
    result = both.run("get", *words)
    assert (result.code, result.out) == (2, "")
    assert words[-1] in result.err
