"""What a wish means for the server lines of a pool."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyswitch.errors import UsageError
from proxyswitch.model import Pool, PoolChange, Server, ServerChange, ServerState
from proxyswitch.release.intents import (
    Changed,
    Exactly,
    Intent,
    SetState,
    SetWeights,
    SwitchTo,
    changes,
    describe,
)
from tests.release.values import BLUE, GREEN, pool

ADDRESSES = [f"127.0.0.1:{port}" for port in range(3001, 3009)]


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Different addresses; any of them may be down, a backup, weighted, with parameters that are not ours."""
    addresses = draw(st.lists(st.sampled_from(ADDRESSES), unique=True, min_size=1, max_size=5))
    servers = st.builds(
        Server,
        address=st.just(""),
        weight=st.integers(1, 3),
        down=st.booleans(),
        backup=st.booleans(),
        params=st.sampled_from([(), ("max_fails=0",)]),
    )
    return pool(*(replace(draw(servers), address=a) for a in addresses))


targets = st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=4)
intents = st.one_of(
    st.builds(SwitchTo, targets.map(tuple), st.booleans()),
    st.builds(SetState, st.sampled_from(ADDRESSES), st.sampled_from(ServerState)),
    st.lists(st.tuples(st.sampled_from(ADDRESSES), st.integers(0, 3)), min_size=1, max_size=3).map(
        lambda found: SetWeights(tuple(found))
    ),
)


def after(intent: Intent, where: Pool, *, force: bool = False) -> list[Server]:
    """The servers of the pool when the wish is fulfilled, by address."""
    rows = changes(intent, where, force=force).result(where.servers).elements()
    return sorted(rows, key=lambda s: s.address)


# properties


@given(pools(), targets, st.booleans())
def test_after_a_switch_exactly_the_targets_are_live(where: Pool, wanted: list[str], reuse: bool) -> None:
    servers = after(SwitchTo(tuple(wanted), reuse), where)
    assert sorted(s.address for s in servers if s.live) == sorted(set(wanted))
    assert len(servers) == len({s.address for s in servers})


@given(pools(), targets)
def test_a_switch_that_is_so_already_changes_nothing(where: Pool, wanted: list[str]) -> None:
    intent = SwitchTo(tuple(wanted))
    there = pool(*after(intent, where))
    assert changes(intent, there).servers == ()


def test_addresses_that_come_and_go_do_not_make_the_pool_grow() -> None:
    where = pool(Server("127.0.0.1:1"), Server("127.0.0.1:2"))
    for port in range(3, 9):
        for wanted in ((f"127.0.0.1:{port - 1}",), (f"127.0.0.1:{port - 1}", f"127.0.0.1:{port}")):
            where = pool(*changes(SwitchTo(wanted, reuse=True), where).result(where.servers).elements())
            assert {s.address for s in where.servers if s.live} == set(wanted)
    assert len(where.servers) == 2
    assert len(list(changes(SwitchTo(("127.0.0.1:99", *wanted)), where).result(where.servers).elements())) == 3


@given(pools(), targets)
def test_a_switch_changes_nothing_but_addresses_and_who_is_out(where: Pool, wanted: list[str]) -> None:
    for change in changes(SwitchTo(tuple(wanted)), where).servers:
        assert change.after
        if change.before:
            kept = replace(change.after, address="", down=False, backup=False)
            assert kept == replace(change.before, address="", down=False, backup=False)


@given(pools(), intents, st.booleans())
def test_the_inverse_gives_the_servers_back(where: Pool, intent: Intent, force: bool) -> None:
    try:
        change = changes(intent, where, force=force)
    except UsageError:
        return
    result = list(change.result(where.servers).elements())
    assert change.fits(where.servers)
    assert change.inverse().fits(result)
    assert change.inverse().result(result) == Counter(where.servers)
    back = changes(Exactly(change.inverse()), pool(*result), force=True)
    assert back.result(result) == Counter(where.servers)


@given(pools(), intents)
def test_no_pool_is_left_without_a_live_server(where: Pool, intent: Intent) -> None:
    try:
        change = changes(intent, where)
    except UsageError:
        return
    assert not change.servers or any(s.live for s in change.result(where.servers).elements())


# switch, by example


def test_a_new_address_takes_over_the_line_of_the_live_server() -> None:
    old = Server(BLUE, weight=3, params=("max_fails=0",))
    assert changes(SwitchTo((GREEN,)), pool(old)).servers == (ServerChange(old, replace(old, address=GREEN)),)


def test_the_idle_side_that_stands_as_down_comes_to_life_and_the_other_goes_down() -> None:
    where = pool(Server(BLUE), Server(GREEN, down=True))
    assert after(SwitchTo((GREEN,)), where) == [Server(BLUE, down=True), Server(GREEN)]


def test_sides_that_stand_as_backup_change_places() -> None:
    where = pool(Server(BLUE), Server(GREEN, backup=True))
    assert after(SwitchTo((GREEN,)), where) == [Server(BLUE, backup=True), Server(GREEN)]


def test_more_targets_than_lines_are_added_and_fewer_put_the_rest_out() -> None:
    assert after(SwitchTo((GREEN, "127.0.0.1:3003")), pool(BLUE)) == [Server(GREEN), Server("127.0.0.1:3003")]
    where = pool(BLUE, "127.0.0.1:3009")
    assert after(SwitchTo((GREEN,)), where) == [Server(GREEN), Server("127.0.0.1:3009", down=True)]


def test_a_target_that_is_named_twice_counts_once() -> None:
    assert after(SwitchTo((GREEN, GREEN)), pool(BLUE)) == [Server(GREEN)]
    assert after(SwitchTo((GREEN, GREEN)), pool(BLUE, Server(GREEN, down=True))) == [Server(BLUE, down=True), Server(GREEN)]


def test_a_line_that_is_there_twice_stays_twice() -> None:
    where = pool(BLUE, Server(GREEN, down=True), Server(GREEN, down=True))
    assert after(SwitchTo((GREEN,)), where) == [Server(BLUE, down=True), Server(GREEN), Server(GREEN)]


@pytest.mark.parametrize(
    ("target", "said"),
    [("3002", "did you mean 127.0.0.1:3002?"), ("127.0.0.1:0", "out of range"), ("gren", "the port is missing")],
)
def test_a_target_that_is_no_address_is_refused(target: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        changes(SwitchTo((target,)), pool(BLUE))
    assert said in caught.value.what
    assert "give an address as 127.0.0.1:3002, or a server of the pool" in caught.value.next_step


# states and weights, by example


def test_the_last_live_server_stays_unless_forced() -> None:
    where = pool(BLUE, Server(GREEN, backup=True))
    for intent in (SetState(BLUE, ServerState.DRAIN), SetState(BLUE, ServerState.MAINT), SetWeights(((BLUE, 0),))):
        with pytest.raises(UsageError, match="without a live server"):
            changes(intent, where)
        assert Server(BLUE, down=True) in after(intent, where, force=True)


def test_weights_are_given_and_0_takes_out() -> None:
    where = pool(BLUE, Server(GREEN, down=True), "127.0.0.1:3003")
    servers = after(SetWeights(((BLUE, 0), (GREEN, 5))), where)
    assert Counter(servers) == Counter([Server(BLUE, down=True), Server(GREEN, weight=5), Server("127.0.0.1:3003")])


def test_a_server_that_gets_two_weights_is_refused() -> None:
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:3001 is named twice"):
        changes(SetWeights(((BLUE, 1), (BLUE, 2))), pool(BLUE, GREEN))


def test_a_server_that_is_not_there_is_named_with_the_one_that_was_meant() -> None:
    for intent in (SetState("127.0.0.1:3011", ServerState.READY), SetWeights((("127.0.0.1:3011", 1),))):
        with pytest.raises(UsageError, match=r"no server '127.0.0.1:3011' in the pool .*did you mean 127.0.0.1:3001\?"):
            changes(intent, pool(BLUE))


# exactly


def test_a_change_that_no_longer_fits_is_refused_with_the_difference() -> None:
    change = PoolChange("app_backend", (ServerChange(Server(BLUE, weight=2), Server(GREEN)),))
    with pytest.raises(Changed) as caught:
        changes(Exactly(change), pool(Server(BLUE, down=True)))
    assert caught.value.exit_code == 3
    assert "expected 127.0.0.1:3001 weight=2; it has 127.0.0.1:3001 down" in caught.value.what


def test_lenient_does_what_still_fits() -> None:
    change = PoolChange(
        "app_backend",
        (
            ServerChange(Server(BLUE), Server(GREEN)),
            ServerChange(Server("127.0.0.1:3003"), Server("127.0.0.1:3004")),
            ServerChange(None, Server("127.0.0.1:3005")),
            ServerChange(None, Server("127.0.0.1:3006")),
        ),
    )
    servers = after(Exactly(change, lenient=True), pool(BLUE, "127.0.0.1:3006"))
    assert Counter(s.address for s in servers) == Counter([GREEN, "127.0.0.1:3005", "127.0.0.1:3006"])


def test_a_server_in_words() -> None:
    assert describe(Server(BLUE)) == BLUE
    assert describe(Server(BLUE, weight=3, down=True, backup=True, name="a")) == "a weight=3 backup down"
