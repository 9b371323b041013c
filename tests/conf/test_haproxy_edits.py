"""Edits of server lines, to the byte."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proxyswitch.conf.haproxy import edits
from proxyswitch.conf.haproxy.condition import Facts
from proxyswitch.conf.haproxy.edits import EditConflict
from proxyswitch.errors import UsageError
from proxyswitch.model import Server
from tests.conf.haproxy_helpers import ENV, HEAD, applied, change, check, pool, servers

BEGIN = b"backend app\n"
DEFAULT = b"    default-server disabled backup weight 20\n"


def one(line: bytes, begin: bytes = BEGIN, end: bytes = b"\n", **after: Any) -> bytes:
    """The first server line after a change of it."""
    backend = pool(begin + line + end)
    server = backend.lines[0].server
    data = applied(backend, change((server, replace(server, **after))))
    assert data.startswith(begin)
    assert data.endswith(end)
    return data[len(begin) : -len(end)]


@pytest.mark.parametrize(
    ("line", "after"),
    [
        (b"server s a:1", b"server s b:22"),
        (b"\tserver\ts\ta:1\tcheck # a:1", b"\tserver\ts\tb:22\tcheck # a:1"),
        (b'"server" s "a:1" check', b'"server" s b:22 check'),
        (b"server a:1 a:1", b"server a:1 b:22"),
        (b"server s a:1   check   # one", b"server s b:22  check   # one"),
        (b"server s a:1#one", b"server s b:22#one"),
        (b"server s a:1 check\r", b"server s b:22 check\r"),
        (b"server s a:1 source a:1", b"server s b:22 source a:1"),
        (b"server s \xe9:1 cookie \xe9", b"server s b:22 cookie \xe9"),
    ],
)
def test_an_address(line: bytes, after: bytes) -> None:
    assert one(line, address="b:22") == after


@pytest.mark.parametrize("address", ["unix@/run/a b.sock", "[fd00::1]:3001", 'a"b$c\\:1', "/run/a#b"])
def test_an_address_is_quoted_where_it_must_be(address: str) -> None:
    backend = pool(BEGIN + b"server s a:1\n")
    after = applied(backend, change((backend.lines[0].server, replace(backend.lines[0].server, address=address))))
    assert servers(pool(after)) == [Server(address, name="s")]


@pytest.mark.parametrize(
    ("line", "weight", "after"),
    [
        (b"server s a:1", 5, b"server s a:1 weight 5"),
        (b"server s a:1 check", 5, b"server s a:1 weight 5 check"),
        (b"server s a:1 weight 2 check", 30, b"server s a:1 weight 30 check"),
        (b"server s a:1 check weight 2", 1, b"server s a:1 check"),
        (b"server s a:1 weight 1", 2, b"server s a:1 weight 2"),
        (b"server s a:1 weight 9   check", 10, b"server s a:1 weight 10  check"),
        (b"server s a:1 weight 9  # x", 10, b"server s a:1 weight 10 # x"),
        (b"server s a:1 'weight' \"2\"", 3, b"server s a:1 'weight' 3"),
        (b"server s a:1 weight 2 weight 4", 3, b"server s a:1 weight 3 weight 3"),
        (b"server s a:1 cookie weight check", 3, b"server s a:1 weight 3 cookie weight check"),
        (b"server s a:1 cookie weight weight 2", 3, b"server s a:1 cookie weight weight 3"),
        (b"server s a:1 check weight", 3, b"server s a:1 check weight 3"),
        (b"server s a:1 check weight # x", 3, b"server s a:1 check weight 3 # x"),
        (b"server s a:1 weight 0", 256, b"server s a:1 weight 256"),
    ],
)
def test_a_weight(line: bytes, weight: int, after: bytes) -> None:
    assert one(line, weight=weight) == after


@pytest.mark.parametrize(
    ("line", "flags", "after"),
    [
        (b"server s a:1", {"down": True}, b"server s a:1 disabled"),
        (b"server s a:1#x", {"down": True}, b"server s a:1 disabled#x"),
        (b"server s a:1 check           # x", {"down": True}, b"server s a:1 check disabled  # x"),
        (b"server s a:1 check disabled  # x", {"down": False}, b"server s a:1 check           # x"),
        (b"server s a:1 disabled check", {"down": False}, b"server s a:1 check"),
        (b"server s a:1\tdisabled", {"down": False}, b"server s a:1"),
        (b"server s a:1 disabled disabled", {"down": False}, b"server s a:1"),
        (b"server s a:1 enabled disabled", {"down": False}, b"server s a:1"),
        (b"server s a:1 'disabled'", {"down": False}, b"server s a:1"),
        (b"server s a:1 enabled", {"down": True}, b"server s a:1 disabled"),
        (b"server s a:1 cookie disabled", {"down": True}, b"server s a:1 cookie disabled disabled"),
        (b"server s a:1 disabled cookie disabled", {"down": False}, b"server s a:1 cookie disabled"),
        (b"server s a:1 redir backup backup", {"backup": False}, b"server s a:1 redir backup"),
        (b"server disabled a:1 disabled", {"down": False}, b"server disabled a:1"),
        (b"server s a:1 weight", {"down": True}, b"server s a:1 disabled weight"),
        (b'server s a:1 check "" x', {"down": True}, b'server s a:1 check disabled "" x'),
        (b"server s a:1 # disabled", {"down": True}, b"server s a:1 disabled # disabled"),
        (b"server s a:1", {"backup": True, "down": True}, b"server s a:1 backup disabled"),
        (b"server s a:1 backup", {"backup": False}, b"server s a:1"),
        (b"server s a:1 check\r", {"down": True}, b"server s a:1 check disabled\r"),
    ],
)
def test_flags(line: bytes, flags: dict[str, Any], after: bytes) -> None:
    assert one(line, **flags) == after


@pytest.mark.parametrize(
    ("line", "to", "after"),
    [
        (b"server s a:1", {"down": False}, b"server s a:1 enabled"),
        (b"server s a:1", {"backup": False}, b"server s a:1 no-backup"),
        (b"server s a:1 enabled", {"down": True}, b"server s a:1"),
        (b"server s a:1 no-backup check", {"backup": True}, b"server s a:1 check"),
        (b"server s a:1 disabled", {"down": False}, b"server s a:1 enabled"),
        (b"server s a:1 check", {"weight": 1}, b"server s a:1 weight 1 check"),
        (b"server s a:1 weight 5 check", {"weight": 20}, b"server s a:1 check"),
    ],
)
def test_what_default_server_says_is_overruled(line: bytes, to: dict[str, Any], after: bytes) -> None:
    assert one(line, BEGIN + DEFAULT, **to) == after


@pytest.mark.parametrize(
    ("data", "after"),
    [
        (b"backend app\n\tserver a a:1\n\nbackend b\n", b"backend app\n\tserver a a:1\n\tserver c c:3\n\nbackend b\n"),
        (b"backend app\r\n server a a:1\r\n", b"backend app\r\n server a a:1\r\n server c c:3\r\n"),
        (b"backend app\n server a a:1 # x", b"backend app\n server a a:1 # x\n server c c:3"),
        (b"backend app\nbackend b\n", b"backend app\n    server c c:3\nbackend b\n"),
        (b"backend app", b"backend app\n    server c c:3"),
        (
            b"backend app\n  balance first\n\n# b\nbackend b",
            b"backend app\n  balance first\n  server c c:3\n\n# b\nbackend b",
        ),
        (b"backend app\n server a a:1\n option x\n", b"backend app\n server a a:1\n server c c:3\n option x\n"),
    ],
)
def test_adding(data: bytes, after: bytes) -> None:
    new = Server("c:3", name="c")
    assert applied(pool(data), change((None, new))) == after
    assert applied(pool(after), change((new, None))) in (data, data + b"\n")


@pytest.mark.parametrize("place", ["above", "below"])
def test_adding_says_what_default_server_does_not(place: str) -> None:
    lines = [DEFAULT, b"    server a a:1\n"]
    backend = pool(BEGIN + b"".join(lines if place == "above" else lines[::-1]))
    added = [
        Server("c:3", name="c"),
        Server("d:4", 20, down=True, backup=True, params=("check", "cookie", "a b"), name="d"),
        Server("e:5", 7, down=True, params=("agent-send", 'x\n"$A"\r'), name="e"),
    ]
    after = pool(applied(backend, change(*((None, s) for s in added))))
    assert servers(after) == [*servers(backend), *added]


@pytest.mark.parametrize(
    ("data", "after"),
    [
        (b"backend app\n server a a:1\n server b b:2\n", b"backend app\n server b b:2\n"),
        (b"backend app\n server a a:1 # x\n server b b:2\n", b"backend app\n # x\n server b b:2\n"),
        (b"backend app\r\n server a a:1\r\n", b"backend app\r\n"),
        (b"backend app\n server a a:1", b"backend app\n"),
    ],
)
def test_removing(data: bytes, after: bytes) -> None:
    assert applied(pool(data), change((servers(pool(data))[0], None))) == after


def test_the_same_server_in_another_backend_is_left_alone() -> None:
    data = b"backend app2\n server s a:1\nbackend app\n server s a:1\nlisten ap\n server s a:1\n"
    server = Server("a:1", name="s")
    after = applied(pool(data), change((server, replace(server, down=True))))
    assert after == data.replace(b"backend app\n server s a:1", b"backend app\n server s a:1 disabled")


def test_a_server_that_is_not_as_expected_is_a_conflict() -> None:
    backend = pool(b"backend app\n server s a:1 weight 2\n")
    for other in (Server("a:1", 1, name="s"), Server("a:1", 2, name="t"), Server("a:1", 2, params=("check",), name="s")):
        with pytest.raises(EditConflict, match="no server line as server"):
            edits.edit(backend, change((other, replace(other, down=True))))


def test_a_template_is_not_edited() -> None:
    backend = pool(b"backend app\n server-template s 2 a:1\n server t a:2\n")
    for server in servers(backend)[:2]:
        with pytest.raises(UsageError, match=r"s[12] comes from the server-template"):
            edits.edit(backend, change((server, replace(server, down=True))))
    last = servers(backend)[2]
    assert b"t a:2 disabled" in applied(backend, change((last, replace(last, down=True))))


def test_a_word_that_stands_for_several_is_not_edited() -> None:
    facts = Facts({"LIST": "check weight 3", "ONE": "check"})
    backend = pool(b'backend app\n server s a:1 "${LIST[*]}"\n server t a:2 "${ONE[*]}"\n', facts=facts)
    first, second = servers(backend)
    assert (first.weight, second.params) == (3, ("check",))
    with pytest.raises(UsageError, match="stands for several"):
        edits.edit(backend, change((first, replace(first, down=True))))
    assert b'"${ONE[*]}" disabled' in applied(backend, change((second, replace(second, down=True))))


IFS = b"""backend app
    server a a:1
.if defined(COLOUR)
    server b b:2
.endif
"""


def test_a_pool_whose_lines_hang_on_an_unknown_condition_is_not_edited() -> None:
    backend = pool(IFS)
    first = servers(backend)[0]
    with pytest.raises(UsageError, match=r"stand in an \.if whose condition is not known"):
        edits.edit(backend, change((first, replace(first, down=True))))


@pytest.mark.parametrize(("env", "names"), [({"COLOUR": "x"}, ["a", "b"]), ({}, ["a"])])
def test_branches_that_are_not_read_do_not_count(env: dict[str, str], names: list[str]) -> None:
    backend = pool(IFS, facts=Facts(env))
    assert [s.name for s in servers(backend)] == names
    after = applied(backend, change(*((s, replace(s, down=True)) for s in servers(backend))))
    assert after.count(b"disabled") == len(names)


def test_other_lines_may_hang_on_a_condition() -> None:
    backend = pool(b"backend app\n.if defined(A)\n balance first\n.endif\n server a a:1\n")
    assert b"a:1 disabled" in applied(backend, change((servers(backend)[0], replace(servers(backend)[0], down=True))))


def test_haproxy_reads_a_line_with_all_edits(haproxy_binary: str) -> None:
    data = HEAD + b"backend app\n" + DEFAULT + b'    server s "127.0.0.1:3001" cookie disabled check   # it\n'
    server = servers(pool(data, facts=Facts(ENV)))[0]
    new = replace(server, address="unix@/run/a b.sock", weight=3, down=False, backup=False)
    after = applied(pool(data), change((server, new)))
    assert b'server s "unix@/run/a b.sock" weight 3 cookie disabled check no-backup enabled # it\n' in after
    assert check(haproxy_binary, after) == ""
