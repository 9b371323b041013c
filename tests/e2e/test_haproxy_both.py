"""nginx and HAProxy side by side, what history knows of both, and the JSON of errors."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.haproxy_pairs import done, lasts, pair, states, versions
from tests.e2e.haproxy_support import POOLS, HaproxyBench, haproxy_bench
from tests.e2e.support import POOLS as UPSTREAM
from tests.e2e.support import Bench, Run, bench

pytest_plugins = ["tests.e2e.haproxy_fixtures"]


class Pair:
    """Both, with one state folder, and commands that name both configs."""

    def __init__(self, haproxy: HaproxyBench, nginx: Bench) -> None:
        self.haproxy, self.nginx = haproxy, nginx

    def run(self, *words: str) -> Run:
        return self.haproxy.run(*words, "--nginx-conf", str(self.nginx.conf), "--haproxy-conf", str(self.haproxy.conf))


@pytest.fixture
def beside(ha_place: HaproxyBench, nginx_binary: str) -> Iterator[Pair]:
    """Both have a pool app_backend; `web` is only nginx's, `api` only HAProxy's."""
    place = pair(ha_place, pools=POOLS + POOLS.replace("app_backend", "api"))
    folder = place.folder / "state-of-nginx"  # what a bench leaves out when it compares files
    folder.mkdir()
    with bench(folder) as nginx:
        nginx.write(nginx.instance("n"), pools=UPSTREAM + "upstream web {{ server 127.0.0.1:{blue}; }}\n")
        nginx.start()
        yield Pair(place, nginx)


@pytest.mark.parametrize(
    "words",
    [
        ("switch", "app_backend", "app-green"),
        ("weight", "app_backend", "app-blue=3"),
        ("set", "app_backend/app-green", "drain"),
        ("drain", "app_backend/app-blue"),
        ("reconcile", "app_backend"),
        ("rollback", "app_backend"),
        ("get", "app_backend"),
        ("show", "app_backend"),
    ],
    ids=lambda words: words[0],
)
def test_a_pool_that_both_have_needs_its_proxy(beside: Pair, words: tuple[str, ...]) -> None:
    with beside.haproxy.nothing_done(), beside.nginx.nothing_done():
        result = beside.run(*words)
    assert (result.code, result.out) == (2, "")
    assert "nginx and haproxy both have a pool app_backend" in result.err
    assert "nginx:app_backend or haproxy:app_backend" in result.err


def test_with_its_proxy_it_is_changed_and_the_other_is_not(beside: Pair) -> None:
    with beside.nginx.nothing_done():
        done(beside.run("switch", "haproxy:app_backend", "app-green"))
    assert (versions(beside.haproxy), beside.nginx.version()) == ({"2"}, "n")
    with beside.haproxy.nothing_done():
        done(beside.run("switch", "nginx:app_backend", f"127.0.0.1:{beside.nginx.instance('m')}"))
    assert (versions(beside.haproxy), beside.nginx.version()) == ({"2"}, "m")
    assert beside.run("get", "haproxy:app_backend").out == f"127.0.0.1:{beside.haproxy.green}\n"
    with beside.nginx.nothing_done():
        done(beside.run("set", "haproxy:app_backend/app-blue", "ready"))
    assert versions(beside.haproxy) == {"1", "2"}


def test_a_pool_that_one_of_them_has_is_found(beside: Pair) -> None:
    done(beside.run("switch", "api", "app-green"))
    assert states(beside.haproxy, "api") == {"app-blue": "drain", "app-green": "ready"}
    assert beside.run("get", "web").out.startswith("127.0.0.1:")
    wrong = beside.run("get", "haproxy:web")
    assert wrong.code == 2
    assert "no pool 'web'" in wrong.err


def test_a_pool_that_none_has_is_named_with_what_they_have(beside: Pair) -> None:
    result = beside.run("switch", "nope", "app-green")
    assert result.code == 2
    assert "no pool 'nope'" in result.err
    assert "web" in result.err
    assert "api" in result.err


def test_show_lists_both(beside: Pair) -> None:
    answer = done(beside.run("show", "--json")).json
    assert {(p["proxy"], p["name"]) for p in answer["pools"]} == {
        ("nginx", "app_backend"),
        ("nginx", "web"),
        ("haproxy", "app_backend"),
        ("haproxy", "api"),
    }
    assert {(p["proxy"], p["running"]) for p in answer["proxies"]} == {("nginx", True), ("haproxy", True)}


def test_rollback_without_a_name_takes_back_the_last_of_both(beside: Pair) -> None:
    old = beside.run("get", "nginx:app_backend").out
    done(beside.run("switch", "haproxy:app_backend", "app-green"))
    done(beside.run("switch", "nginx:app_backend", f"127.0.0.1:{beside.nginx.instance('m')}"))
    with beside.haproxy.nothing_done():
        done(beside.run("rollback"))
    assert beside.run("get", "nginx:app_backend").out == old
    with beside.nginx.nothing_done():
        done(beside.run("rollback", "haproxy:app_backend"))
    assert versions(beside.haproxy) == {"1"}


# history, rollback and errors of one HAProxy


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory, haproxy_binary: str) -> Iterator[HaproxyBench]:
    """Both instances are there; blue serves. For tests by which nothing changes."""
    with haproxy_bench(tmp_path_factory.mktemp("still")) as place:
        yield pair(place)


@pytest.fixture
def both(ha_place: HaproxyBench) -> HaproxyBench:
    return pair(ha_place)


def test_history_knows_what_was_done_and_how(both: HaproxyBench) -> None:
    done(both.run("switch", "app_backend", "app-green"))
    done(both.run("switch", "app_backend", "app-blue", "--mode", "reload"))
    done(both.run("weight", "app_backend", "app-blue=9"))
    done(both.run("rollback"))
    entries = [json.loads(line) for line in both.run("history", "--json").out.splitlines()]
    assert [(e["kind"], e["mode"]) for e in entries] == [
        ("switch", "runtime"),
        ("switch", "reload"),
        ("weight", "runtime"),
        ("rollback", "runtime"),
    ]
    assert {(e["proxy"], e["pool"], e["conf"], e["result"]) for e in entries} == {
        ("haproxy", "app_backend", str(both.conf), "done")
    }
    assert entries[-1]["undoes"] == entries[-2]["id"]
    assert "app-blue → app-blue weight=9" in both.run("history", "app_backend").out


def test_rollback_goes_back_step_by_step(both: HaproxyBench) -> None:
    before = both.conf.read_text().split()
    done(both.run("switch", "app_backend", "app-green"))
    done(both.run("weight", "app_backend", "app-green=9"))
    done(both.run("rollback"))
    assert (versions(both), both.weight_of("app_backend", "app-green")) == ({"2"}, 1)
    lasts(both)
    done(both.run("switch", "app_backend", "app-blue"))
    assert both.conf.read_text().split() == before


def test_rollback_refuses_when_the_old_side_is_gone(both: HaproxyBench) -> None:
    done(both.run("switch", "app_backend", "app-green"))
    both.started[0].kill()
    both.started[0].wait()
    with both.nothing_done():
        result = both.run("rollback", "--json")
    assert (result.code, result.json["changed"]) == (3, False)
    assert f"127.0.0.1:{both.blue}" in result.err
    assert versions(both) == {"2"}


def test_rollback_refuses_when_somebody_changed_the_file_since(both: HaproxyBench) -> None:
    done(both.run("switch", "app_backend", "app-green"))
    both.conf.write_text(both.conf.read_text().replace("app-green 127", "app-green2 127"))
    with both.nothing_done():
        result = both.run("rollback", "app_backend", "--json")
    assert (result.code, result.json["changed"], result.json["pool"]) == (3, False, "app_backend")
    assert "app_backend was changed since" in result.err


def test_rollback_goes_back_although_somebody_changed_what_runs(both: HaproxyBench) -> None:
    done(both.run("switch", "app_backend", "app-green"))
    both.tell("set server app_backend/app-green weight 3")
    done(both.run("rollback"))
    assert versions(both) == {"1"}
    lasts(both)


def test_nothing_to_take_back_is_said(still: HaproxyBench) -> None:
    with still.nothing_done():
        result = still.run("rollback", "--json")
    assert result.code == 2
    assert "nothing to take back" in result.json["error"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("switch", "nope", "x"), 2),
        (("switch", "app_backend", "nope"), 2),
        (("switch", "app_backend", "127.0.0.1:1"), 3),
        (("set", "app_backend/app-blue", "maint"), 2),
        (("weight", "app_backend", "app-blue=999"), 2),
        (("drain", "app_backend/nope"), 2),
        (("reconcile", "nope"), 2),
    ],
)
def test_an_error_as_json_says_all(still: HaproxyBench, words: tuple[str, ...], code: int) -> None:
    with still.nothing_done():
        result = still.run(*words, "--json")
    assert result.code == code
    assert len(result.out.splitlines()) == 1
    answer = result.json
    assert (answer["exit"], answer["changed"]) == (code, False)
    assert answer["error"]
    assert answer["state"] in ("nothing was changed", "everything is as before")
    assert answer["error"] in result.err
