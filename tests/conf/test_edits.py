from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from proxyswitch.conf import text
from proxyswitch.conf.nginx import chain, edits
from proxyswitch.conf.nginx.edits import EditConflict
from proxyswitch.model import PoolChange, Server
from tests.conf.helpers import applied, change, first, pool, write
from tests.conftest import FIXTURES


def one(line: bytes, **after: object) -> bytes:
    """The server line after a change of its first server, inside a pool of its own."""
    head, tail = b"upstream app {\n", b"\n}\n"
    upstream = first(head + line + tail)
    server = upstream.lines[0].server
    data = applied(upstream, change((server, replace(server, **after))))  # type: ignore[arg-type]
    assert data.startswith(head)
    assert data.endswith(tail)
    return data[len(head) : -len(tail)]


@pytest.mark.parametrize(
    ("line", "after"),
    [
        (b"server a:1;", b"server b:22;"),
        (b"\tserver\ta:1\tdown ; # a:1", b"\tserver\tb:22\tdown ; # a:1"),
        (b'server "a:1" weight=2;', b'server "b:22" weight=2;'),
        (b"server 'a:1';", b"server 'b:22';"),
        (b"server a:1   max_fails=0;   # one", b"server b:22  max_fails=0;   # one"),
        (b"server a:1;   # one", b"server b:22;  # one"),
        (b"server a:1 max_fails=0;   # one", b"server b:22 max_fails=0;  # one"),
        (b"server # a:1\n  a:1 # it\n  down;", b"server # a:1\n  b:22 # it\n  down;"),
        (b"server a:1;\r", b"server b:22;\r"),
        (b"server a:1 ;server c:3;", b"server b:22 ;server c:3;"),
    ],
)
def test_an_address(line: bytes, after: bytes) -> None:
    assert one(line, address="b:22") == after


@pytest.mark.parametrize(
    ("line", "weight", "after"),
    [
        (b"server a:1;", 5, b"server a:1 weight=5;"),
        (b"server a:1 max_fails=0;", 5, b"server a:1 weight=5 max_fails=0;"),
        (b"server a:1 weight=2 down;", 30, b"server a:1 weight=30 down;"),
        (b"server a:1 max_fails=0 weight=2;", 1, b"server a:1 max_fails=0;"),
        (b"server a:1 weight=1;", 2, b"server a:1 weight=2;"),
        (b"server a:1 weight=9   max_fails=0;", 10, b"server a:1 weight=10  max_fails=0;"),
        (b"server a:1 'weight=2';", 3, b"server a:1 weight=3;"),
        (b"server a:1\n  weight=2 # share\n;", 3, b"server a:1\n  weight=3 # share\n;"),
    ],
)
def test_a_weight(line: bytes, weight: int, after: bytes) -> None:
    assert one(line, weight=weight) == after


@pytest.mark.parametrize(
    ("line", "flags", "after"),
    [
        (b"server a:1;", {"down": True}, b"server a:1 down;"),
        (b"server a:1 ;", {"down": True}, b"server a:1 down ;"),
        (b"server a:1 max_fails=0;        # x", {"down": True}, b"server a:1 max_fails=0 down;   # x"),
        (b"server a:1 down;   # x", {"down": False}, b"server a:1;        # x"),
        (b"server a:1 down max_fails=0;", {"down": False}, b"server a:1 max_fails=0;"),
        (b"server a:1\tdown;", {"down": False}, b"server a:1;"),
        (b"server a:1 'down' down;", {"down": False}, b"server a:1;"),
        (b"server a:1 # c\n  down;", {"down": False}, b"server a:1 # c\n  ;"),
        (b"server a:1 # c\n;", {"down": True}, b"server a:1 down # c\n;"),
        (b"server a:1;", {"backup": True, "down": True}, b"server a:1 backup down;"),
        (b"server a:1 backup;", {"backup": False}, b"server a:1;"),
    ],
)
def test_flags(line: bytes, flags: dict[str, bool], after: bytes) -> None:
    assert one(line, **flags) == after


A, B, C, D = Server("a:1"), Server("b:2"), Server("c:3"), Server("d:4")


@pytest.mark.parametrize(
    ("data", "after"),
    [
        (b"upstream app {\n    server a:1;\n}\n", b"upstream app {\n    server a:1;\n    server c:3;\n}\n"),
        (b"upstream app {\r\n\tserver a:1;\r\n}", b"upstream app {\r\n\tserver a:1;\r\n\tserver c:3;\r\n}"),
        (b"upstream app { server a:1; }", b"upstream app { server a:1; server c:3; }"),
        (b"upstream app {\n  server a:1; # x\n}", b"upstream app {\n  server a:1; # x\n  server c:3;\n}"),
        (b"upstream app {\n  server a:1; }", b"upstream app {\n  server a:1; server c:3; }"),
        (b"upstream app {\n  server a:1\n    down;\n}", b"upstream app {\n  server a:1\n    down;\n  server c:3;\n}"),
        (b"  upstream app {\n  }\n", b"  upstream app {\n      server c:3;\n  }\n"),
        (b"upstream app {}", b"upstream app { server c:3;}"),
        (b"upstream app { # x\n}", b"upstream app { # x\n    server c:3;\n}"),
    ],
)
def test_adding(data: bytes, after: bytes) -> None:
    assert applied(first(data), change((None, C))) == after


def test_adding_all_that_a_line_can_say() -> None:
    server = Server("[::1]:3", 4, down=True, backup=True, params=("max_fails=0",))
    data = applied(first(b"upstream app { server a:1; }"), change((None, server)))
    assert data == b"upstream app { server a:1; server [::1]:3 weight=4 max_fails=0 backup down; }"
    assert first(data).lines[1].server == server


@pytest.mark.parametrize(
    ("data", "after"),
    [
        (b"upstream app {\n    server a:1;\n    server b:2;\n}\n", b"upstream app {\n    server b:2;\n}\n"),
        (b"upstream app {\n    server a:1; # x\n}\n", b"upstream app {\n    # x\n}\n"),
        (b"upstream app { server a:1; server b:2; }", b"upstream app { server b:2; }"),
        (b"upstream app { server b:2; server a:1; }", b"upstream app { server b:2; }"),
        (b"upstream app {\n  server a:1\n  ;\n  server b:2;\n}", b"upstream app {\n  server b:2;\n}"),
        (b"upstream app {\r\n server a:1;\r\n server b:2;\r\n}", b"upstream app {\r\n server b:2;\r\n}"),
        (b"upstream app {\n  server a:1; server b:2;\n}", b"upstream app {\n  server b:2;\n}"),
    ],
)
def test_removing(data: bytes, after: bytes) -> None:
    assert applied(first(data), change((A, None))) == after


@pytest.mark.parametrize(
    ("data", "rows", "after"),
    [
        (b"upstream app {\n  server a:1; server b:2;\n}", [(A, None), (B, None)], b"upstream app {\n  \n}"),
        (b"upstream app { server a:1; server b:2; }", [(A, None), (B, C)], b"upstream app { server c:3; }"),
        (b"upstream app {\n  server a:1; server b:2;\n}", [(B, None), (A, C)], b"upstream app {\n  server c:3;\n}"),
        (b"upstream app {\n  server a:1;\n}", [(A, None), (None, C)], b"upstream app {\n  server c:3;\n}"),
        (b"upstream app { server a:1; }", [(None, C), (A, None)], b"upstream app { server c:3; }"),
        (b"upstream app { server a:1; }", [(None, C), (None, D)], b"upstream app { server a:1; server c:3; server d:4; }"),
        (b"upstream app { server a:1; server b:2; }", [(A, B), (B, A)], b"upstream app { server b:2; server a:1; }"),
    ],
)
def test_several_at_once(data: bytes, rows: list[tuple[Server | None, Server | None]], after: bytes) -> None:
    assert applied(first(data), change(*rows)) == after


def test_removing_and_adding_where_another_directive_follows() -> None:
    data = applied(first(b"upstream app {\n  server a:1; least_conn;\n}"), change((A, None), (None, C)))
    assert data.split() == b"upstream app { server c:3; least_conn; }".split()


def test_rewriting_one_and_removing_its_neighbour() -> None:
    upstream = first(b"upstream app {\n  server a:1;   server b:2;\n}")
    data = applied(upstream, change((A, Server("long.example:1")), (B, None)))
    assert data.split() == b"upstream app { server long.example:1; }".split()


def test_rewriting_the_last_and_adding_one_behind_it() -> None:
    for end in (b";    }", b";    # x\n}"):
        upstream = first(b"upstream app { server a:1" + end)
        data = applied(upstream, change((A, replace(A, down=True)), (None, C)))
        assert [line.server for line in first(data).lines] == [replace(A, down=True), C]
        assert data.count(b"# x") == end.count(b"# x")


def test_the_same_line_twice() -> None:
    upstream = first(b"upstream app { server a:1; server a:1; }")
    assert applied(upstream, change((A, B))) == b"upstream app { server b:2; server a:1; }"
    assert applied(upstream, change((A, B), (A, C))) == b"upstream app { server b:2; server c:3; }"
    with pytest.raises(EditConflict, match="no server line as server a:1 any more"):
        edits.edit(upstream, change((A, B), (A, C), (A, D)))


def test_a_conflict_is_said() -> None:
    upstream = first(b"upstream app { server a:1 down; }")
    with pytest.raises(EditConflict, match="no server line as server a:1 weight=2 max_fails=0 backup any more"):
        edits.edit(upstream, change((Server("a:1", 2, backup=True, params=("max_fails=0",)), B)))


def test_nothing_to_do_is_no_edit() -> None:
    assert edits.edit(first(b"upstream app { server a:1; }"), change((A, A))) == []


def test_edits_over_several_files(tmp_path: Path) -> None:
    files = {
        "nginx.conf": b"http { upstream app { server a:1; include s/*; } }",
        "s/1": b"server b:2;",
        "s/2": b"server c:3;",
    }
    config = chain.load(write(tmp_path, files))
    made = edits.edit(pool(config, "app"), change((A, replace(A, down=True)), (C, None), (None, D)))
    after = {Path(e.document.real).name: text.apply(e.document.data, e.edits) for e in made}
    assert after == {
        "nginx.conf": b"http { upstream app { server a:1 down; include s/*; } }",
        "2": b"\nserver d:4;",
    }


def test_an_included_file_without_a_last_newline() -> None:
    config = chain.load(str(FIXTURES / "nginx/includes/nginx.conf"))
    data = applied(pool(config, "app"), change((None, C)))
    assert data == b"server 127.0.0.1:3001;\nserver 127.0.0.1:3002 down;\nserver c:3;"


LINES = [
    b"    server a:1;\n",
    b"\tserver\ta:1\tmax_fails=0;\t# one\r\n",
    b'server "a:1";',
    b"    server a:1                          max_fails=0;                # one\n",
    b"server a:1 # x\n  max_fails=0\n;",
]
CHANGES = [
    {"address": "other.example:31000"},
    {"down": True},
    {"backup": True},
    {"weight": 20},
    {"address": "b:2", "weight": 3, "down": True, "backup": True},
]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("after", CHANGES)
def test_the_inverse_gives_back_the_very_bytes(line: bytes, after: dict[str, object]) -> None:
    data = b"upstream app {\n" + line + b"}"
    upstream = first(data)
    server = upstream.lines[0].server
    wanted: PoolChange = change((server, replace(server, **after)))  # type: ignore[arg-type]
    there = applied(upstream, wanted)
    assert there != data
    assert applied(first(there), wanted.inverse()) == data


def test_an_alignment_without_room_is_given_up() -> None:
    """The one loss: where the blanks do not suffice, one is left, and the way back cannot know how many there were."""
    data = b"upstream app {\nserver a:1;  # one\n}"
    there = applied(first(data), change((A, replace(A, down=True))))
    assert there == b"upstream app {\nserver a:1 down; # one\n}"
    assert applied(first(there), change((replace(A, down=True), A))) == data.replace(b"  #", b" #")


def test_an_added_line_goes_again() -> None:
    for data in (b"upstream app {\n  server a:1; # x\n}", b"upstream app { server a:1; }"):
        there = applied(first(data), change((None, C)))
        assert applied(first(there), change((C, None))) == data
