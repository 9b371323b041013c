"""Shares of clients in instant mode: who gets which side, and that nobody is moved back and forth."""

from __future__ import annotations

import http.client

import pytest

from tests.e2e.instant_support import InstantBench

pytest_plugins = ["tests.e2e.instant_fixtures"]


@pytest.fixture
def keyed(blank: InstantBench) -> InstantBench:
    """Clients are known by a header, so that one test can be many of them."""
    blank.key = "$http_x_client"
    blank.set_up()
    return blank


def sides(place: InstantBench, clients: int = 400) -> dict[int, str]:
    """Which version each client gets."""
    client = http.client.HTTPConnection("127.0.0.1", place.port, timeout=20)
    found = {}
    for number in range(clients):
        client.request("GET", "/", headers={"X-Client": f"client-{number}", "Connection": "keep-alive"})
        with client.getresponse() as answer:
            answer.read()
            found[number] = answer.headers["X-Version"]
    client.close()
    return found


def on(found: dict[int, str], version: str) -> set[int]:
    return {client for client, seen in found.items() if seen == version}


def test_a_share_of_the_clients_and_no_other(keyed: InstantBench) -> None:
    assert on(sides(keyed), "2") == set()
    keyed.run("canary", "app_backend", "10%")
    moved = on(sides(keyed), "2")
    assert 10 <= len(moved) <= 90  # 40 expected of 400; chance leaves this range less than once in a million
    assert on(sides(keyed), "2") == moved, "a client stays on its side"


def test_a_greater_share_only_moves_clients_to_the_new_side(keyed: InstantBench) -> None:
    before: set[int] = set()
    for share in ("5%", "20%", "60%", "100%"):
        keyed.run("canary", "app_backend", share)
        now = on(sides(keyed), "2")
        assert before <= now
        before = now
    assert len(before) == 400


def test_the_same_on_the_way_back_to_blue(keyed: InstantBench) -> None:
    keyed.run("switch", "app_backend", "green")
    before: set[int] = set()
    for share in ("5%", "20%", "60%", "100%"):
        assert keyed.run("canary", "app_backend", share).code == 0
        now = on(sides(keyed), "1")
        assert before <= now
        before = now
    assert len(before) == 400


def test_a_canary_that_is_taken_back(keyed: InstantBench) -> None:
    keyed.run("canary", "app_backend", "30%")
    assert keyed.run("canary", "app_backend", "0%", "--drain", "20s").code == 0
    assert on(sides(keyed, 100), "2") == set()


def test_both_sides_show_their_share(keyed: InstantBench) -> None:
    keyed.run("canary", "app_backend", "25%")
    (pool,) = keyed.run("show", "--json").json["pools"]
    assert [(s["slot"], s["weight"], s["live"]) for s in pool["servers"]] == [("blue", 75, True), ("green", 25, True)]
    assert keyed.run("get", "app_backend").out.split() == list(keyed.addresses)


@pytest.mark.parametrize("share", ["101%", "5.5%", "many", ""])
def test_what_is_no_share_is_refused(instant: InstantBench, share: str) -> None:
    result = instant.run("canary", "app_backend", share)
    assert (result.code, "percent" in result.err, instant.flag) == (2, True, "pct-0")


def test_dry_run_and_check_touch_nothing(instant: InstantBench) -> None:
    result = instant.run("canary", "app_backend", "5%", "--dry-run", "--json")
    assert (result.json["would_change"], instant.flag) == (True, "pct-0")
    assert instant.run("switch", "app_backend", "green", "--check").code == 1
    assert instant.run("switch", "app_backend", "blue", "--check").code == 0
    assert instant.flag == "pct-0"


def test_a_plain_pool_is_told_how_to_get_there(blank: InstantBench) -> None:
    blank.write(blank.instance("1"))
    blank.start()
    result = blank.run("canary", "app_backend", "5%")
    assert (result.code, "proxyswitch adopt app_backend" in result.err) == (2, True)
