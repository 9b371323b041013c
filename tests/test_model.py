from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyswitch.errors import (
    Busy,
    ConfigError,
    Failed,
    Interrupted,
    NeedsPerson,
    NotDrained,
    ProxyswitchError,
    SettingsError,
    Unhealthy,
    UsageError,
)
from proxyswitch.model import (
    Endpoint,
    Pool,
    PoolChange,
    Problem,
    Server,
    ServerChange,
    ServerState,
    Where,
    with_state,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("127.0.0.1:3001", "127.0.0.1:3001"),
        ("[::1]:3001", "[::1]:3001"),
        ("[0:0:0:0:0:0:0:1]:3001", "[::1]:3001"),
        ("App.Internal:65535", "app.internal:65535"),
        ("my_app-1:1", "my_app-1:1"),
        ("unix:/run/app.sock", "unix:/run/app.sock"),
        ("unix:///run/app.sock", "unix:///run/app.sock".replace("///", "//")),
        ("unix://run/app.sock", "unix:/run/app.sock"),
    ],
)
def test_endpoints(text: str, shown: str) -> None:
    assert str(Endpoint.parse(text)) == shown
    if "//" not in shown:
        assert Endpoint.parse(shown) == Endpoint.parse(text)


def test_a_default_port() -> None:
    assert Endpoint.parse("example.com", 80) == Endpoint("example.com", 80)
    assert Endpoint.parse("[::1]", 80) == Endpoint("::1", 80)
    assert Endpoint.parse("a:81", 80) == Endpoint("a", 81)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the host is missing"),
        (":3001", "the host is missing"),
        ("3001", "did you mean 127.0.0.1:3001"),
        ("127.0.0.1", "the port is missing, as in 127.0.0.1:3001"),
        ("127.0.0.1:", "the port is missing, as in 127.0.0.1:3001"),
        ("127.0.0.1:0", "out of range"),
        ("127.0.0.1:65536", "out of range"),
        ("127.0.0.1:http", "'http' is no port number"),
        ("127.0.0.1:٣", "is no port number"),
        ("127.0.0.1:+1", "is no port number"),
        ("256.0.0.1:80", "is no IPv4 address"),
        ("1.2.3:80", "is no IPv4 address"),
        ("::1:3001", "put an IPv6 address in brackets"),
        ("[::1:3001", "an IPv6 address is written"),
        ("[::1]3001", "an IPv6 address is written"),
        ("[::g]:3001", "is no IPv6 address"),
        ("a b:80", "expected host:port"),
        ("a;b:80", "expected host:port"),
        ("ä:80", "expected host:port"),
        ("unix:app.sock", "needs an absolute path"),
        ("unix:", "needs an absolute path"),
        ("unix:/run/a b.sock", "must not contain"),
        ("unix:/run/a;b.sock", "must not contain"),
        ("unix:/run/a\nb", "must not contain"),
    ],
)
def test_what_is_no_endpoint(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        Endpoint.parse(text)


@given(st.text(alphabet="[]:.a1/unix-x ;", max_size=24))
def test_an_endpoint_or_a_value_error(text: str) -> None:
    try:
        shown = str(Endpoint.parse(text))
    except ValueError as error:
        shown, words = "", str(error)
    else:
        words = repr(text)
    assert repr(text) in words
    assert not set(shown) & set(" ;{}\"'")


def test_a_server_by_whatever_name() -> None:
    server = Server("127.0.0.1:3001", name="blue")
    assert server.is_at("blue")
    assert server.is_at("127.0.0.1:3001")
    assert not server.is_at("127.0.0.1:30011")
    assert not server.is_at("green")
    assert Server("[0::1]:80").is_at("[::1]:80")
    assert Server("example.com").is_at("example.com:80")
    assert Server("unix:/a").is_at("unix:/a")
    odd = Server("$name:80")
    assert odd.endpoint is None
    assert odd.is_at("$name:80")
    assert (odd.label, server.label) == ("$name:80", "blue")


def test_states() -> None:
    ready = Server("a:1")
    assert (ready.live, ready.state) == (True, ServerState.READY)
    assert (Server("a:1", backup=True).live, Server("a:1", backup=True).state) == (False, ServerState.READY)
    down = with_state(ready, ServerState.MAINT)
    assert (down.live, down.state) == (False, ServerState.MAINT)
    assert with_state(down, ServerState.READY) == ready
    assert with_state(ready, ServerState.DRAIN).down
    assert Server("a:1", params=("drain",)).state is ServerState.DRAIN
    assert f"{ServerState.MAINT}" == "maint"


def test_a_pool() -> None:
    one, two, twice = Server("a:1"), Server("b:2", down=True), Server("a:1", where=Where("x", 3))
    pool = Pool("app", "nginx", "http", (one, two, twice), Where("nginx.conf", 7))
    assert pool.live == (one, twice)
    assert pool.find("a:1") == (one, twice)
    assert pool.find("c:3") == ()
    assert str(pool.where) == "nginx.conf:7"
    assert one == twice  # where it stands is no part of what it is


servers = st.builds(Server, st.sampled_from(["a:1", "b:2", "c:3"]), st.integers(1, 3), st.booleans())
pairs = st.builds(ServerChange, servers, servers)


@given(st.lists(servers, max_size=5), st.lists(servers, max_size=2), st.data())
def test_a_change_and_its_inverse(rest: list[Server], added: list[Server], data: st.DataObject) -> None:
    before = data.draw(st.lists(servers, max_size=4))
    after = data.draw(st.lists(servers, min_size=len(before), max_size=len(before)))
    rows = [ServerChange(b, a) for b, a in zip(before, after, strict=True)] + [ServerChange(None, a) for a in added]
    change = PoolChange("app", tuple(rows))
    assert change.fits(before + rest)
    result = list(change.result(before + rest).elements())
    assert sorted(map(str, result)) == sorted(map(str, after + added + rest))
    assert change.inverse().fits(result)
    assert sorted(map(str, change.inverse().result(result).elements())) == sorted(map(str, before + rest))
    assert change.inverse().inverse() == change


def test_a_change_that_does_not_fit() -> None:
    change = PoolChange("app", (ServerChange(Server("a:1"), Server("b:2")), ServerChange(Server("a:1"), None)))
    assert not change.fits([Server("a:1")])
    assert not change.fits([Server("a:1"), Server("a:1", weight=2)])
    assert change.fits([Server("a:1"), Server("a:1")])


def test_a_problem_for_people() -> None:
    assert str(Problem("it is old")) == "it is old"
    assert str(Problem("it is old", "update it")) == "it is old (update it)"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unhealthy("x"), 1),
        (UsageError("x"), 2),
        (SettingsError("x"), 2),
        (ConfigError("x"), 2),
        (Failed("x"), 3),
        (NeedsPerson("x"), 4),
        (NotDrained("x"), 5),
        (Busy("x"), 75),
        (Interrupted(15, "x"), 143),
    ],
)
def test_exit_codes(error: ProxyswitchError, code: int) -> None:
    assert error.exit_code == code
    assert error.lines()[0] == "x"
    assert error.lines()[1].startswith("state: ")


def test_an_error_says_what_how_and_next() -> None:
    error = Failed("it broke", state="half of it", next_step="look")
    assert error.lines() == ["it broke", "state: half of it", "next: look"]
    assert Failed("it broke", state="").lines() == ["it broke"]
    assert str(ConfigError("bad", path="a.conf", line=3, column=4)) == "a.conf:3:4: bad"
    assert str(ConfigError("bad", path="a.conf")) == "a.conf: bad"
    assert str(ConfigError("bad")) == "bad"
