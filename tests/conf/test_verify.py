"""Both judges of an edit, our own and crossplane, must be able to say no."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from proxyswitch.conf import referee, text
from proxyswitch.conf.nginx import chain, edits
from proxyswitch.conf.nginx.verify import Reading, UnintendedEdit, find, read_again, verify
from proxyswitch.errors import ConfigError
from proxyswitch.model import PoolChange, Server
from tests.conf.helpers import change, loaded, pool, write
from tests.conftest import FIXTURES

DATA = b"""http {
    # the pool
    upstream app { server a:1; server b:2 down; keepalive 4; }
    upstream app2 { server a:1; }
    server { listen 1; location / { proxy_pass http://app; } }
}
stream { upstream app { server a:1; } }
"""
A, B = Server("a:1"), Server("b:2", down=True)
CHANGE = change((A, replace(A, down=True)), (B, replace(B, down=False)))
RIGHT = DATA.replace(b"{ server a:1; server b:2 down;", b"{ server a:1 down; server b:2;")

WRONG = {
    "another server": RIGHT.replace(b"a:1 down", b"a:11 down"),
    "not all": RIGHT.replace(b"server b:2;", b"server b:2 down;"),
    "a server lost": RIGHT.replace(b"server b:2; ", b""),
    "a server more": RIGHT.replace(b"server b:2;", b"server b:2; server c:3;"),
    "a parameter": RIGHT.replace(b"server b:2;", b"server b:2 max_fails=0;"),
    "another pool": RIGHT.replace(b"app2 { server a:1;", b"app2 { server a:1 down;"),
    "the same pool of stream": RIGHT.replace(b"stream { upstream app { server a:1;", b"stream { upstream app { server z:1;"),
    "another directive of the pool": RIGHT.replace(b"keepalive 4", b"keepalive 5"),
    "another directive": RIGHT.replace(b"listen 1", b"listen 2"),
    "a block": RIGHT.replace(b"location /", b"location = /"),
    "a directive more": RIGHT + b"user x;\n",
    "a comment that swallows": RIGHT.replace(b"keepalive", b"# keepalive").replace(b"4; }", b"4; }\n}", 1),
    "a move": RIGHT.replace(b"server b:2; keepalive 4; }", b"keepalive 4; } upstream x { server b:2; }"),
}


def judge(data: bytes, wanted: PoolChange = CHANGE) -> None:
    before = loaded(DATA)
    verify(before, loaded(data), pool(before, "app"), wanted)


def second(data: bytes, wanted: PoolChange = CHANGE) -> bool:
    return referee.check(pool(loaded(DATA), "app"), "/conf/nginx.conf", data, wanted)


def test_the_right_edit_passes_both() -> None:
    (made,) = edits.edit(pool(loaded(DATA), "app"), CHANGE)
    assert text.apply(DATA, made.edits) == RIGHT
    judge(RIGHT)
    assert second(RIGHT)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_edit_is_refused_by_us(name: str) -> None:
    assert WRONG[name] != RIGHT
    with pytest.raises(UnintendedEdit):
        judge(WRONG[name])


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_edit_is_refused_by_crossplane(name: str) -> None:
    with pytest.raises(UnintendedEdit, match="crossplane"):
        second(WRONG[name])


def test_nothing_done_is_refused() -> None:
    for check in (judge, second):
        with pytest.raises(UnintendedEdit):
            check(DATA)


def test_the_pool_renamed_is_refused() -> None:
    with pytest.raises(UnintendedEdit, match="lost the pool app"):
        judge(RIGHT.replace(b"upstream app {", b"upstream app9 {", 1))


def test_what_no_longer_parses_is_refused_by_crossplane() -> None:
    with pytest.raises(UnintendedEdit):
        second(RIGHT + b"}")


def test_crossplane_does_not_judge_what_it_reads_otherwise() -> None:
    odd = b"upstream app { server a\\;b:1; server c}d:2; }"  # backslashes stay in its values, `}` closes
    upstream = pool(loaded(odd), "app")
    assert referee.check(upstream, "/conf/nginx.conf", b"}", change((upstream.lines[0].server, None))) is False


def test_another_set_of_included_files_is_refused(tmp_path: Path) -> None:
    files = {"nginx.conf": b"include a*;", "a1": b"upstream app { server a:1; server b:2 down; }"}
    before = chain.load(write(tmp_path, files))
    write(tmp_path, {"a2": b""})
    with pytest.raises(UnintendedEdit, match="which files are included"):
        verify(before, chain.load(before.main), pool(before, "app"), change((A, A)))


def both(fixture: str, name: str, wanted: PoolChange, context: str = "http") -> list[bool]:
    """Make an edit of a fixture and have both judge it; what crossplane says for each file."""
    main = str(FIXTURES / "nginx" / fixture / "nginx.conf")
    before = chain.load(main)
    upstream = pool(before, name, context)
    after = {e.document.real: text.apply(e.document.data, e.edits) for e in edits.edit(upstream, wanted)}

    def read(path: str) -> bytes:
        real = str(Path(path).resolve())
        return after[real] if real in after else Path(path).read_bytes()

    verify(before, chain.load(main, chain.Names(read)), upstream, wanted)
    return [referee.check(upstream, real, data, wanted) for real, data in after.items()]


@pytest.mark.parametrize(
    ("fixture", "name", "context"),
    [
        ("plain", "app", "http"),
        ("sites", "app", "http"),
        ("sites", "app_backend", "http"),
        ("sites", "app_backend_v2", "http"),
        ("stream", "app", "stream"),
        ("stream", "app", "http"),
        ("stream", "dns", "stream"),
        ("includes", "app", "http"),
        ("includes", "mixed", "http"),
        ("includes", "api", "http"),
        ("variables", "app_blue", "http"),
        ("odd", "app", "http"),
        ("odd", "windows", "http"),
        ("odd", "empty_lines", "http"),
        ("odd", "kunden", "http"),
        ("lua", "plain", "http"),
    ],
)
def test_edits_of_the_fixtures_pass_both(fixture: str, name: str, context: str) -> None:
    config = chain.load(str(FIXTURES / "nginx" / fixture / "nginx.conf"))
    for line in pool(config, name, context).lines:
        server = line.server
        moved = replace(server, address="10.9.8.7:6543", weight=server.weight + 1)
        for wanted in (
            change((server, moved)),
            change((server, replace(server, down=not server.down))),
            change((None, moved)),
            change((server, None), (None, moved)),
        ):
            # crossplane cannot read Lua blocks, and has its own idea of braces in words
            assert all(both(fixture, name, wanted, context)) or fixture in ("lua", "variables")


def test_find_tells_pools_apart() -> None:
    config = loaded(DATA)
    for name, context in (("app", "http"), ("app", "stream"), ("app2", "http")):
        found = find(loaded(RIGHT), pool(config, name, context))
        assert found
        assert (found.name, found.context) == (name, context)
    assert find(loaded(b""), pool(config, "app")) is None


# a large file: the pool's block is read again by itself

FILLER = b"".join(b"upstream other_%d { server 10.0.0.1:%d; }\n" % (n, n) for n in range(1, 1200))


def enlarged(data: bytes) -> bytes:
    return data.replace(b"http {", b"http {\n" + FILLER, 1)


def reread(data: bytes, wanted: PoolChange = CHANGE) -> Reading:
    config = loaded(enlarged(DATA))
    reading = read_again(config, pool(config, "app"), {"/conf/nginx.conf": enlarged(data)})
    verify(reading.before, reading.after, reading.upstream, wanted)
    return reading


def test_a_large_file_is_judged_by_the_block_of_its_pool() -> None:
    reading = reread(RIGHT)
    assert len(reading.before.root.data) < 1000
    assert referee.check(reading.upstream, reading.before.root.real, reading.after.root.data, CHANGE)


@pytest.mark.parametrize("name", WRONG)
def test_the_block_of_a_large_file_is_judged_as_strictly(name: str) -> None:
    with pytest.raises((UnintendedEdit, ConfigError)):
        reread(WRONG[name])


def test_crossplane_does_not_judge_a_file_with_a_lone_carriage_return() -> None:
    data = DATA.replace(b"# the pool\n", b"# the pool \r server z:1;\n")
    config = loaded(data)
    (edit,) = edits.edit(pool(config, "app"), CHANGE)
    after = text.apply(data, edit.edits)
    verify(config, loaded(after), pool(config, "app"), CHANGE)
    assert referee.check(pool(config, "app"), "/conf/nginx.conf", after, CHANGE) is False
