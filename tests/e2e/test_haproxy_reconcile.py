"""`reconcile`: the file follows what runs, or what runs follows the file; and nothing when they agree."""

from __future__ import annotations

import json

import pytest

from tests.e2e.haproxy_pairs import BLUE, GREEN, again, differences, done, facts, lasts, pair, same_workers, states, versions
from tests.e2e.haproxy_support import POOLS, WITH_STATE, HaproxyBench
from tests.ports import free_port

pytest_plugins = ["tests.e2e.haproxy_fixtures"]


@pytest.fixture
def both(ha_place: HaproxyBench) -> HaproxyBench:
    return pair(ha_place)


def by_hand(place: HaproxyBench) -> None:
    """Somebody switched with socat."""
    place.tell("set server app_backend/app-green state ready")
    place.tell("set server app_backend/app-green weight 30")
    place.tell("set server app_backend/app-blue state drain")


def test_the_file_follows_what_runs(both: HaproxyBench) -> None:
    by_hand(both)
    before = facts(both)
    with same_workers(both):
        done(both.run("reconcile", "app_backend"))
    assert (facts(both), versions(both), states(both)["app-blue"]) == (before, {"2"}, "drain")
    again(both, "reconcile", "app_backend")
    lasts(both)
    assert facts(both)["app-green"][:2] == (True, 30)


def test_an_address_that_was_told_goes_into_the_file(both: HaproxyBench) -> None:
    new = both.instance("3")
    both.ask(f"set server app_backend/app-blue addr 127.0.0.1 port {new}")
    done(both.run("reconcile", "app_backend"))
    assert f"server app-blue 127.0.0.1:{new} check" in both.conf.read_text()
    lasts(both)
    assert versions(both) == {"3"}


def test_what_runs_follows_the_file(both: HaproxyBench) -> None:
    before = facts(both)
    by_hand(both)
    with same_workers(both):
        done(both.run("reconcile", "app_backend", "--by", "file"))
    assert (facts(both), versions(both)) == (before, {"1"})
    again(both, "reconcile", "app_backend", "--by", "file")
    lasts(both)


def test_a_file_that_was_edited_by_hand_is_taken(both: HaproxyBench) -> None:
    new = both.instance("3")
    both.conf.write_text(both.conf.read_text().replace(f":{both.blue} check", f":{new} weight 7 check"))
    done(both.run("reconcile", "app_backend", "--by", "file"))
    assert facts(both)["app-blue"] == (True, 7, f"127.0.0.1:{new}")
    assert differences(both) == {}
    lasts(both)


@pytest.mark.parametrize("by", ["file", "runtime"])
def test_nothing_to_do_is_silent(both: HaproxyBench, by: str) -> None:
    again(both, "reconcile", "app_backend", "--by", by)


@pytest.mark.parametrize("by", ["file", "runtime"])
def test_a_dry_run_only_says_it(both: HaproxyBench, by: str) -> None:
    by_hand(both)
    with both.nothing_done():
        result = done(both.run("reconcile", "app_backend", "--by", by, "--dry-run", "--json"))
    assert result.json["would_change"] is True
    assert not both.state.exists()


def test_a_stale_state_file_follows(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, conf=WITH_STATE)
    place.save_state()
    by_hand(place)
    done(place.run("reconcile", "app_backend"))
    assert differences(place) == {}
    lasts(place)
    assert versions(place) == {"2"}


def test_a_file_by_which_nobody_would_answer_is_not_followed(both: HaproxyBench) -> None:
    """Green runs; the file says blue, which is dead."""
    by_hand(both)
    both.started[0].kill()
    both.started[0].wait()
    with both.nothing_done():
        result = both.run("reconcile", "app_backend", "--by", "file")
    assert result.code == 3
    assert "app-blue" in result.err
    assert versions(both) == {"2"}


def test_all_out_at_runtime_does_not_go_into_the_file(both: HaproxyBench) -> None:
    both.tell("set server app_backend/app-blue state maint")
    with both.nothing_done():
        result = both.run("reconcile", "app_backend")
    assert result.code == 2
    assert "without a live server" in result.err


def test_a_server_that_is_only_in_the_file_takes_a_reload(both: HaproxyBench) -> None:
    """The file was edited by hand; the process does not have that server."""
    both.conf.write_text(both.conf.read_text() + f"    server app-red 127.0.0.1:{both.instance('3')} check\n")
    done(both.run("reconcile", "app_backend", "--by", "file"))
    assert versions(both) == {"1", "3"}
    lasts(both)


def test_switching_to_a_server_that_is_not_loaded_takes_a_reload(both: HaproxyBench) -> None:
    both.conf.write_text(both.conf.read_text() + f"    server app-red 127.0.0.1:{both.instance('3')} check disabled\n")
    result = done(both.run("switch", "app_backend", "app-red", "--json"))
    assert result.json["mode"] == "reload"
    assert versions(both) == {"3"}
    again(both, "switch", "app_backend", "app-red")
    assert json.loads(both.run("history", "--json").out)["mode"] == "reload"


@pytest.mark.parametrize("by", ["file", "runtime"])
def test_a_server_that_only_runs_is_refused(both: HaproxyBench, by: str) -> None:
    alone(both)
    with both.nothing_done():
        result = both.run("reconcile", "app_backend", "--by", by)
    assert result.code == 2
    assert "alone of app_backend is in no file, only the running haproxy has it" in result.err


def test_a_server_that_only_runs_and_takes_traffic_is_warned_of(both: HaproxyBench) -> None:
    alone(both)
    result = done(both.run("switch", "app_backend", "app-green"))
    assert "warning: app_backend/alone takes traffic too, and only the running HAProxy has it" in result.err


def alone(place: HaproxyBench) -> None:
    assert "New server registered" in place.ask(f"add server app_backend/alone 127.0.0.1:{place.instance('3')}")
    place.tell("set server app_backend/alone state ready")


def test_a_pool_that_is_not_there(both: HaproxyBench) -> None:
    with both.nothing_done():
        result = both.run("reconcile", "app_backnd")
    assert result.code == 2
    assert "did you mean 'app_backend'?" in result.err


def test_it_can_be_taken_back(both: HaproxyBench) -> None:
    by_hand(both)
    done(both.run("reconcile", "app_backend"))
    done(both.run("rollback", "app_backend"))
    assert versions(both) == {"1"}
    lasts(both)


def test_an_agreeing_pool_beside_one_that_does_not_is_left(ha_place: HaproxyBench) -> None:
    more = f"backend other\n    server app-blue 127.0.0.1:{free_port()}\n    server spare 127.0.0.1:9\n"
    place = pair(ha_place, pools=POOLS + more)
    place.tell("set server other/app-blue weight 9")
    by_hand(place)
    done(place.run("reconcile", "app_backend"))
    assert "app-blue" in differences(place, "other")
    assert (place.state_of(*BLUE), place.state_of(*GREEN)) == ("drain", "ready")
