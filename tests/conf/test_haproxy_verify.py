"""Both judges of an edit, our own and pyhaproxy, must be able to say no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from proxyswitch.conf.haproxy import config as configs
from proxyswitch.conf.haproxy import pools, referee
from proxyswitch.conf.haproxy.condition import Facts
from proxyswitch.conf.haproxy.config import Config
from proxyswitch.conf.haproxy.pools import Backend
from proxyswitch.conf.haproxy.verify import UnintendedEdit, verify
from proxyswitch.errors import ConfigError
from proxyswitch.model import PoolChange, Server
from tests.conf.haproxy_helpers import NAME, applied, change, loaded, pool

DATA = b"""\
global
    maxconn 100
    setenv PORT 1
defaults
    mode http
    balance source
    default-server inter 2s
# the pool
backend app
    balance leastconn
    server a a:1 check
    server b b:2 disabled # who knows
    option httpchk
backend app2
    server a a:1 check
"""
A, B = Server("a:1", params=("check",), name="a"), Server("b:2", down=True, name="b")
CHANGE = change((A, replace(A, down=True)), (B, replace(B, down=False)))
RIGHT = DATA.replace(b"a:1 check\n    server b b:2 disabled #", b"a:1 check disabled\n    server b b:2 #")

WRONG = {
    "nothing": DATA,
    "not all": RIGHT.replace(b"b:2 #", b"b:2 disabled #"),
    "another address": RIGHT.replace(b"a:1 check disabled", b"a:11 check disabled"),
    "another weight": RIGHT.replace(b"b:2 #", b"b:2 weight 2 #"),
    "a backup": RIGHT.replace(b"b:2 #", b"b:2 backup #"),
    "a lost keyword": RIGHT.replace(b"a:1 check disabled", b"a:1 disabled"),
    "another name": RIGHT.replace(b"server b b:2", b"server c b:2"),
    "a server lost": RIGHT.replace(b"    server b b:2 # who knows\n", b""),
    "a server more": RIGHT.replace(b"    option httpchk\n", b"    option httpchk\n    server c c:3\n"),
    "a server twice": RIGHT.replace(b"    option httpchk\n", b"    option httpchk\n    server b b:2\n"),
    "the balance": RIGHT.replace(b"leastconn", b"first"),
    "the inherited balance": RIGHT.replace(b"    balance leastconn\n", b""),
    "the mode": RIGHT.replace(b"    option httpchk", b"    option httpchk\n    mode tcp"),
    "the inherited mode": RIGHT.replace(b"mode http", b"mode tcp"),
    "a default of servers": RIGHT.replace(b"inter 2s", b"inter 2s weight 3"),
    "another default": RIGHT.replace(b"inter 2s", b"inter 3s"),
    "another line": RIGHT.replace(b"    option httpchk\n", b""),
    "a line more": RIGHT.replace(b"    option httpchk\n", b"    option httpchk\n    option x\n"),
    "another backend": RIGHT.replace(b"backend app2\n    server a a:1 check", b"backend app2\n    server a a:1"),
    "a backend more": RIGHT + b"backend app3\n",
    "a backend lost": RIGHT.partition(b"backend app2")[0],
    "another global": RIGHT.replace(b"maxconn 100", b"maxconn 101"),
    "another variable": RIGHT.replace(b"PORT 1", b"PORT 2"),
    "the pool lost": RIGHT.replace(b"backend app\n", b"backend other\n"),
    "the pool twice": RIGHT + b"backend app\n",
    "a line moved": RIGHT.replace(b"    option httpchk\n", b"").replace(b"    balance", b"    option httpchk\n    balance"),
    "a condition": RIGHT.replace(b"    option httpchk\n", b".if defined(A)\n    option httpchk\n.endif\n"),
}


def judged(data: bytes, wanted: PoolChange = CHANGE, before: bytes = DATA) -> Backend:
    config = loaded(before)
    (backend,) = pools.backends(config, "app")
    return verify(config, backend, {config.documents[0].real: data}, wanted)


def test_the_intended_change_is_accepted() -> None:
    assert applied(pool(DATA), CHANGE) == RIGHT
    assert {row.server for row in judged(RIGHT).lines} == {replace(A, down=True), replace(B, down=False)}


@pytest.mark.parametrize("why", WRONG)
def test_any_other_change_is_refused(why: str) -> None:
    assert WRONG[why] != RIGHT
    with pytest.raises(UnintendedEdit):
        judged(WRONG[why])


@pytest.mark.parametrize("why", ["the balance", "the inherited balance", "the mode", "the inherited mode"])
def test_a_change_of_how_the_pool_works_is_named(why: str) -> None:
    with pytest.raises(UnintendedEdit, match="would have changed how app works"):
        judged(WRONG[why])


def test_a_text_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ConfigError):
        judged(RIGHT.replace(b"# who", b'" who'))


@pytest.mark.parametrize(
    "data",
    [
        RIGHT.replace(b"# the pool\n", b"\n"),
        RIGHT.replace(b" # who knows", b""),
        RIGHT.replace(b"a:1 check d", b"a:1   check   d"),
    ],
)
def test_comments_and_blanks_may_move(data: bytes) -> None:
    judged(data)


def test_a_change_of_another_file_is_refused() -> None:
    texts = {"/1.cfg": DATA, "/2.cfg": b"frontend x\n    maxconn 5\n"}
    config = configs.load(tuple(texts), Facts(), texts.__getitem__)
    (backend,) = pools.backends(config, "app")
    right = {config.documents[0].real: RIGHT}
    verify(config, backend, right, CHANGE)
    with pytest.raises(UnintendedEdit, match=r"more than the pool app in /2\.cfg"):
        verify(config, backend, {**right, config.documents[1].real: b"frontend x\n    maxconn 6\n"}, CHANGE)


def test_what_an_earlier_file_says_is_part_of_the_pool() -> None:
    texts = {"/1.cfg": b"defaults\n default-server disabled\n", "/2.cfg": b"backend app\n server b b:2\n"}
    config = configs.load(tuple(texts), Facts(), texts.__getitem__)
    (backend,) = pools.backends(config, "app")
    real = config.documents[1].real
    verify(config, backend, {real: b"backend app\n server b b:2 enabled\n"}, change((B, replace(B, down=False))))
    with pytest.raises(UnintendedEdit):
        verify(config, backend, {real: b"backend app\n server b b:2 disabled\n"}, change((B, replace(B, down=False))))


# the second reader


def refereed(after: bytes, wanted: PoolChange = CHANGE, before: bytes = DATA) -> bool:
    return referee.check(pool(before), pool(after), wanted)


def test_pyhaproxy_sees_the_intended_change() -> None:
    assert refereed(RIGHT) is True


@pytest.mark.parametrize(
    "why",
    [
        "nothing",
        "not all",
        "another address",
        "another weight",
        "a backup",
        "a lost keyword",
        "another name",
        "a server lost",
    ],
)
def test_pyhaproxy_refuses_another_change_of_servers(why: str) -> None:
    with pytest.raises(UnintendedEdit, match="the second reader, pyhaproxy, does not see the intended change of app"):
        refereed(WRONG[why])


@pytest.mark.parametrize("why", ["a server more", "a server twice", "the balance", "another line", "a line more"])
def test_pyhaproxy_refuses_another_change_of_the_section(why: str) -> None:
    with pytest.raises(UnintendedEdit):
        refereed(WRONG[why])


def test_it_abstains_about_quoted_words() -> None:
    before = DATA.replace(b"server b b:2 disabled", b'server b "b:2" disabled')
    assert refereed(applied(pool(before), CHANGE), before=before) is False


def test_it_abstains_about_words_that_must_be_quoted() -> None:
    for new in (Server("c:3", params=("cookie", "a b"), name="c"), Server("c:3", params=("cookie", "a#b"), name="c")):
        assert refereed(applied(pool(DATA), change((None, new))), change((None, new))) is False


def test_it_abstains_about_unix_sockets() -> None:
    wanted = change((A, replace(A, address="/run/a.sock")))
    assert refereed(applied(pool(DATA), wanted), wanted) is False


@pytest.mark.parametrize("fault", [KeyError, RecursionError, ValueError])
def test_it_abstains_where_it_breaks(fault: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Any) -> Any:
        raise fault

    monkeypatch.setattr("pyhaproxy.parse.Parser.build_configuration", broken)
    assert refereed(RIGHT) is False
    assert refereed(WRONG["a server lost"]) is False


def test_it_says_no_when_it_sees_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[bytes], Any] = referee._read
    monkeypatch.setattr(referee, "_read", lambda data: real(data.replace(b"b:2 #", b"b:3 #")))
    with pytest.raises(UnintendedEdit):
        refereed(RIGHT)


def test_both_judge_a_listen_section() -> None:
    before = DATA.replace(b"backend app\n", b"listen app\n    bind 127.0.0.1:80\n")
    after = applied(pool(before), CHANGE)
    judged(after, before=before)
    assert refereed(after, before=before) is True


def test_the_file_that_is_judged_is_the_one_behind_a_link(tmp_path: Any) -> None:
    (tmp_path / "real.cfg").write_bytes(DATA)
    (tmp_path / "link.cfg").symlink_to("real.cfg")
    config: Config = configs.load([str(tmp_path / "link.cfg")])
    (backend,) = pools.backends(config, "app")
    verify(config, backend, {str(tmp_path / "real.cfg"): RIGHT}, CHANGE)
    with pytest.raises(UnintendedEdit):
        verify(config, backend, {NAME: RIGHT}, CHANGE)
