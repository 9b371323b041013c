"""`weight`, `set` and `drain` on a real HAProxy, with what they refuse: nobody must be left without a server."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.e2e.haproxy_pairs import BLUE, GREEN, again, done, facts, lasts, pair, same_workers, shown, states, versions
from tests.e2e.haproxy_support import CONF, POOLS, HaproxyBench, haproxy_bench
from tests.e2e.support import eventually

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

BOTH = POOLS.replace(" disabled", "")


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory, haproxy_binary: str) -> Iterator[HaproxyBench]:
    """Both servers take traffic. For tests by which nothing changes."""
    with haproxy_bench(tmp_path_factory.mktemp("still")) as place:
        yield pair(place, pools=BOTH)


@pytest.fixture
def two(ha_place: HaproxyBench) -> HaproxyBench:
    """Both servers take traffic."""
    return pair(ha_place, pools=BOTH)


def test_weights_are_exact(two: HaproxyBench) -> None:
    with same_workers(two):
        result = done(two.run("weight", "app_backend", "app-blue=9", "app-green=1"))
    assert re.fullmatch(r"app_backend: app-blue → app-blue weight=9 \(runtime, [\d.]+ s\)\n", result.out)
    assert [two.weight_of(*BLUE), two.weight_of(*GREEN)] == [9, 1]
    seen = [two.version() for _ in range(20)]
    assert (seen.count("1"), seen.count("2")) == (18, 2)
    again(two, "weight", "app_backend", "app-blue=9", "app-green=1")
    lasts(two)


def test_weight_0_takes_a_server_out_and_another_weight_brings_it_back(two: HaproxyBench) -> None:
    done(two.run("weight", "app_backend", "app-blue=0"))
    assert (versions(two), states(two)["app-blue"]) == ({"2"}, "drain")
    lasts(two)
    done(two.run("weight", "app_backend", "app-blue=7"))
    assert (versions(two, 16), two.weight_of(*BLUE)) == ({"1", "2"}, 7)
    lasts(two)


def test_a_weight_that_was_lost_at_runtime_comes_back(two: HaproxyBench) -> None:
    done(two.run("weight", "app_backend", "app-blue=9"))
    two.tell("set server app_backend/app-blue weight 1")
    with same_workers(two):
        result = done(two.run("weight", "app_backend", "app-blue=9"))
    assert "app-blue: its weight is 1, not 9" in result.err
    assert two.weight_of(*BLUE) == 9


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["app-blue=257"], "HAProxy has weights from 0 to 256"),
        (["app-blue=-1"], "expected SERVER=N"),
        (["app-blue=50%"], "expected SERVER=N"),
        (["app-blue"], "expected SERVER=N"),
        (["app-blu=5"], "did you mean app-blue?"),
        (["app-blue=0", "app-green=0"], "without a live server: every request would fail with 503"),
        (["app-blue=5", "127.0.0.1:{blue}=6"], "is named twice"),
    ],
)
def test_weights_that_are_wrong_are_named(still: HaproxyBench, words: list[str], said: str) -> None:
    with still.nothing_done():
        result = still.run("weight", "app_backend", *map(still.filled, words))
    assert result.code == 2
    assert said in result.err


def test_256_is_a_weight(two: HaproxyBench) -> None:
    done(two.run("weight", "app_backend", "app-blue=256"))
    assert two.weight_of(*BLUE) == 256


# states


@pytest.mark.parametrize("state", ["maint", "drain"])
def test_a_server_goes_out_and_comes_back(two: HaproxyBench, state: str) -> None:
    before = [line.split() for line in two.conf.read_text().splitlines()]
    with same_workers(two):
        done(two.run("set", "app_backend/app-green", state))
        assert (versions(two), states(two)["app-green"]) == ({"1"}, state)
        again(two, "set", "app_backend/app-green", state)
        assert two.conf.read_text().count(" disabled") == 1
        done(two.run("set", "app_backend/app-green", "ready"))
        assert versions(two) == {"1", "2"}
        again(two, "set", "app_backend/app-green", "ready")
    assert [line.split() for line in two.conf.read_text().splitlines()] == before
    lasts(two)


def test_drain_becomes_maintenance_though_the_file_stays_the_same(two: HaproxyBench) -> None:
    done(two.run("set", "app_backend/app-green", "drain"))
    files = two.files()
    done(two.run("set", "app_backend/app-green", "maint"))
    assert (states(two)["app-green"], two.files()) == ("maint", files)


def test_drain_waits_and_takes_out(two: HaproxyBench) -> None:
    result = done(two.run("drain", "app_backend/app-blue", "--timeout", "30s", "--json"))
    assert (result.json["to"], states(two)) == (["app-green"], {"app-blue": "drain", "app-green": "ready"})
    lasts(two)


@pytest.mark.parametrize(
    "words",
    [
        ["set", "app_backend/app-green", "drain"],
        ["set", "app_backend/app-green", "maint"],
        ["drain", "app_backend/app-green"],
        ["weight", "app_backend", "app-green=0"],
    ],
)
def test_the_last_live_server_stays(two: HaproxyBench, words: list[str]) -> None:
    done(two.run("set", "app_backend/app-blue", "maint"))
    with two.nothing_done():
        result = two.run(*words, "--json")
    assert (result.code, result.json["exit"], result.json["changed"]) == (2, 2, False)
    assert "without a live server: every request would fail with 503" in result.err
    assert versions(two) == {"2"}


def test_the_last_server_that_runs_stays_though_the_file_has_another(two: HaproxyBench) -> None:
    """By the file blue is in; somebody took it out at runtime."""
    two.tell("set server app_backend/app-blue state maint")
    with two.nothing_done():
        result = two.run("set", "app_backend/app-green", "drain")
    assert result.code == 2
    assert "without a server that is up: every request would fail with 503" in result.err


def test_the_last_server_goes_when_it_is_forced(two: HaproxyBench) -> None:
    done(two.run("set", "app_backend/app-blue", "maint"))
    done(two.run("set", "app_backend/app-green", "maint", "--force"))
    assert set(states(two).values()) == {"maint"}
    lasts(two)


def test_the_last_one_that_its_checks_find_up_stays(two: HaproxyBench) -> None:
    """Blue is ready, and dead: HAProxy's own checks say so."""
    two.started[0].kill()
    assert eventually(lambda: shown(two)["app-blue"]["running"]["health"].startswith("DOWN"))
    with two.nothing_done():
        result = two.run("drain", "app_backend/app-green", "--json")
    assert (result.code, result.json["changed"]) == (2, False)
    assert "without a server that is up" in result.err
    assert "--force" in result.err
    assert versions(two) == {"2"}
    done(two.run("set", "app_backend/app-green", "drain", "--force"))


def test_a_dead_server_goes_out(two: HaproxyBench) -> None:
    two.started[0].kill()
    assert eventually(lambda: shown(two)["app-blue"]["running"]["health"].startswith("DOWN"))
    done(two.run("set", "app_backend/app-blue", "maint"))
    assert states(two) == {"app-blue": "maint", "app-green": "ready"}


def test_a_dead_server_does_not_come_in(ha: HaproxyBench) -> None:
    with ha.nothing_done():
        result = ha.run("set", "app_backend/app-green", "ready")
    assert result.code == 3
    assert f"app-green (127.0.0.1:{ha.green}) does not answer" in result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["app_backend/app-blu", "maint"], "did you mean app-blue?"),
        (["app_backend", "maint"], "write POOL/SERVER"),
        (["app_backnd/app-blue", "maint"], "did you mean 'app_backend'?"),
        (["app_backend/app-blue", "off"], "'off' is not one of"),
    ],
)
def test_what_is_not_there_is_named(still: HaproxyBench, words: list[str], said: str) -> None:
    with still.nothing_done():
        result = still.run("set", *words)
    assert result.code == 2
    assert said in result.err


# static algorithms: HAProxy takes no new weight at runtime


@pytest.mark.parametrize("balance", ["static-rr", "source"])
def test_a_weight_of_a_static_algorithm_takes_a_reload(ha_place: HaproxyBench, balance: str) -> None:
    place = pair(ha_place, pools=BOTH.replace("app_backend\n", f"app_backend\n    balance {balance}\n"))
    old = place.workers_now
    result = done(place.run("weight", "app_backend", "app-blue=9", "--json"))
    assert result.json["mode"] == "reload"
    assert not place.workers_now <= old
    assert facts(place)["app-blue"][1] == 9
    again(place, "weight", "app_backend", "app-blue=9")
    lasts(place)


def test_a_state_of_a_static_algorithm_takes_none(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=BOTH.replace("app_backend\n", "app_backend\n    balance static-rr\n"))
    with same_workers(place):
        done(place.run("switch", "app_backend", "app-green"))
    assert versions(place) == {"2"}
    lasts(place)


def test_a_static_algorithm_of_the_defaults_counts(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, conf=CONF.replace("mode http\n", "mode http\n    balance static-rr\n"), pools=BOTH)
    assert done(place.run("weight", "app_backend", "app-blue=9", "--json")).json["mode"] == "reload"
    assert facts(place)["app-blue"][1] == 9


def test_consistent_hashing_takes_a_weight_at_runtime(ha_place: HaproxyBench) -> None:
    hashing = "app_backend\n    balance source\n    hash-type consistent\n"
    place = pair(ha_place, pools=BOTH.replace("app_backend\n", hashing))
    with same_workers(place):
        assert done(place.run("weight", "app_backend", "app-blue=9", "--json")).json["mode"] == "runtime"
    assert facts(place)["app-blue"][1] == 9
    lasts(place)
