"""Clients that a cookie or a stick table keeps on the old server: a drain moves them over, and none sees an error."""

from __future__ import annotations

import pytest

from tests.e2e.haproxy_holders import Keeper, counted, slow
from tests.e2e.haproxy_pairs import done, pair, states
from tests.e2e.haproxy_support import POOLS, HaproxyBench
from tests.e2e.support import LIMIT, eventually

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

SWITCH = ("switch", "app_backend", "app-green")
COOKIES = POOLS.replace("check inter", "cookie {blue} check inter", 1).replace("green} check", "green} cookie {green} check")
TABLE = "    stick-table type ip size 10k expire 30m\n    stick on src\n"
WAYS = {
    "insert": ("    cookie SRV insert indirect nocache\n", "", "the cookie SRV"),
    "insert, indirect by default": ("    cookie SRV insert\n", "", "the cookie SRV"),
    "prefix": ("    cookie JSESSIONID prefix nocache\n", "JSESSIONID={blue}~abc", "the cookie JSESSIONID"),
    "rewrite": ("    cookie SERVERID rewrite\n", "SERVERID={blue}", "the cookie SERVERID"),
    "table": (TABLE, "", "a stick table"),
}


def sticky(place: HaproxyBench, line: str, pools: str = COOKIES) -> HaproxyBench:
    """Both servers, with that line in the backend."""
    return pair(place, pools=pools.replace("backend app_backend\n", f"backend app_backend\n{line}"))


@pytest.fixture
def kept(ha_place: HaproxyBench) -> HaproxyBench:
    return sticky(ha_place, WAYS["insert"][0])


@pytest.mark.parametrize("way", WAYS)
def test_a_busy_client_is_on_the_new_side_when_the_drain_ends(ha_place: HaproxyBench, way: str) -> None:
    line, cookie, what = WAYS[way]
    place = sticky(ha_place, line)
    with Keeper(place, place.filled(cookie)) as client, Keeper(place, place.filled(cookie), pause=0.02) as calm:
        result = done(place.run(*SWITCH, "--drain", "2s"))
        assert eventually(lambda: client.latest == calm.latest == "2")
        before = client.versions["1"], calm.versions["1"]
        assert eventually(lambda: client.versions["2"] > 20 and calm.versions["2"] > 3)
        assert (client.versions["1"], calm.versions["1"]) == before
    assert client.errors == calm.errors == []
    assert f"{what} keeps clients on app_backend/app-blue: it goes into maintenance" in result.err
    assert states(place) == {"app-blue": "maint", "app-green": "ready"}
    assert counted(place) == (0, 0)


@pytest.mark.parametrize("way", ["insert", "table"])
def test_without_drain_it_is_said_that_clients_stay(ha_place: HaproxyBench, way: str) -> None:
    line, _, what = WAYS[way]
    place = sticky(ha_place, line)
    with Keeper(place) as client:
        result = done(place.run(*SWITCH))
        seen = client.versions["1"]
        assert eventually(lambda: client.versions["1"] > seen + 20)
        assert client.versions["2"] == 0
    assert f"warning: {what} keeps clients on app-blue while it drains (--drain makes them leave)" in result.err
    assert client.errors == []


def test_where_nothing_keeps_clients_nothing_is_said(ha_place: HaproxyBench) -> None:
    assert done(pair(ha_place).run(*SWITCH)).err == ""


def test_who_comes_back_in_is_not_warned_of(kept: HaproxyBench) -> None:
    done(kept.run(*SWITCH, "--drain", "2s"))
    assert "app-blue" not in done(kept.run("set", "app_backend/app-blue", "ready")).err


def test_requests_under_way_end_well_while_clients_are_made_to_leave(kept: HaproxyBench) -> None:
    with Keeper(kept, pause=0.01) as client:
        fetch = slow(kept, 1.5)
        done(kept.run(*SWITCH, "--drain", "2s"))
        assert (fetch.result(), client.errors) == ("1", [])
        assert eventually(lambda: client.latest == "2")


def test_the_same_command_later_makes_them_leave(kept: HaproxyBench) -> None:
    with Keeper(kept) as client:
        done(kept.run(*SWITCH))
        assert states(kept)["app-blue"] == "drain"
        assert client.latest == "1"
        done(kept.run(*SWITCH, "--drain", "1s"))
        assert eventually(lambda: client.latest == "2")
        assert client.errors == []
    assert states(kept)["app-blue"] == "maint"


def test_who_was_made_ready_meanwhile_is_left_alone(kept: HaproxyBench) -> None:
    fetch = slow(kept, 1.5)
    command = kept.spawn(*SWITCH, "--drain", "20s")
    assert eventually(lambda: states(kept)["app-blue"] == "drain" and not kept.journals)
    kept.tell("set server app_backend/app-blue state ready")
    _, err = command.communicate(timeout=LIMIT)
    assert "goes into maintenance" not in err
    assert (fetch.result(), states(kept)["app-blue"]) == ("1", "ready")


CUTS = COOKIES.replace("cookie {blue}", "on-marked-down shutdown-sessions cookie {blue}")


def test_where_maintenance_would_cut_requests_under_way_it_waits_for_them(ha_place: HaproxyBench) -> None:
    place = sticky(ha_place, WAYS["insert"][0], CUTS)
    fetch = slow(place, 1.5)
    result = done(place.run(*SWITCH, "--drain", "2s"))  # at half of the time it is still under way
    assert fetch.result() == "1"
    assert "goes into maintenance" in result.err
    assert states(place)["app-blue"] == "maint"


def test_where_maintenance_would_cut_requests_the_busy_are_spared(ha_place: HaproxyBench) -> None:
    place = sticky(ha_place, WAYS["insert"][0], CUTS)
    with Keeper(place) as client:
        result = place.run(*SWITCH, "--drain", "2s")
        assert (result.code, states(place)["app-blue"]) == (5, "drain")
        assert "clients that the cookie SRV keeps on app_backend/app-blue" in result.err
        seen = client.versions["1"]
        assert eventually(lambda: client.versions["1"] > seen + 20)
    assert client.errors == []
    done(place.run(*SWITCH, "--drain", "20s"))
    assert states(place)["app-blue"] == "maint"


def test_where_maintenance_cuts_force_close_does_so_when_time_is_up(ha_place: HaproxyBench) -> None:
    place = sticky(ha_place, WAYS["insert"][0], CUTS)
    fetch = slow(place, 20)
    result = done(place.run(*SWITCH, "--drain", "500ms", "--force-close"))
    assert (fetch.result(), states(place)["app-blue"]) == ("", "maint"), result.err
