"""The lines that close a pool for maintenance, to the byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from proxyswitch.conf import text
from proxyswitch.conf.haproxy import gate, pools, referee
from proxyswitch.conf.haproxy.condition import Facts
from proxyswitch.conf.haproxy.gate import Gate
from proxyswitch.conf.haproxy.verify import UnintendedEdit
from proxyswitch.errors import UsageError
from tests.conf.haproxy_helpers import ENV, FOLDER, HEAD, check, good, loaded, pool

PAGES = "/state/maintenance"
GATE = Gate(f"{PAGES}/a.html", 120, ("10.0.0.0/8", "::1"))
BASE = b'http-request return status 503 content-type "text/html" file "/state/maintenance/a.html" hdr Retry-After "120"'
RULE = BASE + b" unless { src 10.0.0.0/8 ::1 }"
SERVER = b"    server s 127.0.0.1:1\n"
TOLD = "closed for maintenance: 503, Retry-After 120 s, but for 10.0.0.0/8, ::1"


def closed(data: bytes, wanted: Gate = GATE, name: str = "app") -> bytes:
    """The text with the pool closed; the edit is verified."""
    backend = pool(data, name)
    after = text.apply(data, gate.closing(backend, wanted, PAGES))
    if after != data:
        gate.verify(loaded(data), backend, after, wanted, PAGES)
    assert gate.told(pool(after, name), PAGES)
    return after


def opened(data: bytes, name: str = "app") -> bytes:
    backend = pool(data, name)
    after = text.apply(data, gate.opening(backend, PAGES))
    gate.verify(loaded(data), backend, after, None, PAGES)
    assert gate.told(pool(after, name), PAGES) == ""
    return after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"backend app\n" + SERVER, b"backend app\n    MARK\n    RULE\n" + SERVER),
        (
            b"backend app # who\n\n  # why\n  server s a:1\n",
            b"backend app # who\n  MARK\n  RULE\n\n  # why\n  server s a:1\n",
        ),
        (b"listen app\n\tbind :1\n\tserver s a:1\n", b"listen app\n\tMARK\n\tRULE\n\tbind :1\n\tserver s a:1\n"),
        (b"backend app\r\n  server s a:1\r\n", b"backend app\r\n  MARK\r\n  RULE\r\n  server s a:1\r\n"),
        (b"backend app\nserver s a:1", b"backend app\nMARK\nRULE\nserver s a:1"),
        (b"backend app", b"backend app\n    MARK\n    RULE"),
        (b"backend app\r\nbackend b\r\n", b"backend app\r\n    MARK\r\n    RULE\r\nbackend b\r\n"),
        (
            b"backend app\n  http-request deny\n  tcp-request content accept\n",
            b"backend app\n  MARK\n  RULE\n  http-request deny\n  tcp-request content accept\n",
        ),
        (
            b"backend app\n  tcp-request content accept\n  redirect prefix /\n",
            b"backend app\n  tcp-request content accept\n  MARK\n  RULE\n  redirect prefix /\n",
        ),
        (
            b"backend app\n  .if 1\n  tcp-request content accept\n  .endif\n",
            b"backend app\n  MARK\n  RULE\n  .if 1\n  tcp-request content accept\n  .endif\n",
        ),
    ],
    ids=["backend", "comments", "listen, tabs", "crlf", "no last line end", "head only", "bare crlf", "rules", "tcp", "if"],
)
def test_closed_and_opened_again(before: bytes, after: bytes) -> None:
    assert closed(before) == after.replace(b"MARK", gate.MARK).replace(b"RULE", RULE)
    assert opened(closed(before)) == before
    assert closed(closed(before)) == closed(before)


def test_nobody_is_allowed() -> None:
    assert BASE + b" if TRUE\n" in closed(b"backend app\n" + SERVER, Gate(GATE.page, 120))
    assert (
        gate.told(pool(closed(b"backend app\n", Gate(GATE.page, 5))), PAGES)
        == "closed for maintenance: 503, Retry-After 5 s"
    )


@pytest.mark.parametrize("name", ["a b.html", 'a"b$c\\d.html', "a#b.html", "ä.html", "$HOME.html", "'.html"])
def test_any_name_of_a_page(name: str) -> None:
    data = closed(b"backend app\n" + SERVER, GATE._replace(page=f"{PAGES}/{name}"))
    words = pool(data).document.text(pool(data).section.lines[0])
    assert words[words.index("file") + 1] == f"{PAGES}/{name}"
    assert opened(data) == b"backend app\n" + SERVER


def test_another_gate_takes_its_place() -> None:
    moved = b"backend app\n  http-request deny if x\n  " + gate.MARK + b"\n  " + RULE + b" # until noon\n  server s a:1\n"
    other = Gate(f"{PAGES}/b.html", 7)
    after = closed(moved, other)
    assert after == moved.replace(RULE, BASE.replace(b"a.html", b"b.html").replace(b'"120"', b'"7"') + b" if TRUE")
    assert opened(after) == b"backend app\n  http-request deny if x\n  server s a:1\n"


def test_lines_that_a_person_moved_apart_go_both() -> None:
    data = b"backend app\n  " + gate.MARK + b"\n  server s a:1\n  " + RULE + b"\nbackend b\n  " + gate.MARK + b"\n"
    assert opened(data) == b"backend app\n  server s a:1\nbackend b\n  " + gate.MARK + b"\n"


def test_a_page_of_another_state_folder_is_known_by_the_comment_above() -> None:
    data = closed(b"backend app\n" + SERVER).replace(PAGES.encode(), b"/home/x/maintenance")
    assert gate.told(pool(data), PAGES) == TOLD
    assert opened(data) == b"backend app\n" + SERVER
    bare = data.replace(gate.MARK, b"# mine")
    assert (gate.told(pool(bare), PAGES), gate.opening(pool(bare), PAGES)) == ("", [])


def test_a_comment_alone_is_left_alone() -> None:
    assert opened(b"backend app\n  " + gate.MARK + b"\n" + SERVER) == b"backend app\n  " + gate.MARK + b"\n" + SERVER


def test_two_rules_are_opened_but_not_changed() -> None:
    data = b"backend app\n  " + RULE + b"\n  " + RULE + b"\n" + SERVER
    with pytest.raises(UsageError, match=r"closed by 2 rules: /conf/haproxy.cfg:2, /conf/haproxy.cfg:3"):
        gate.closing(pool(data), GATE, PAGES)
    assert opened(data) == b"backend app\n" + SERVER


def test_a_persons_rules_are_none_of_ours() -> None:
    theirs = b'backend app\n  http-request return status 503 file "/etc/haproxy/sorry.html"\n  http-request return\n'
    assert gate.told(pool(theirs), PAGES) == ""
    assert opened(closed(theirs)) == theirs


def test_many_who_are_allowed_are_told_shortly() -> None:
    data = closed(b"backend app\n", GATE._replace(allow=tuple(f"10.0.0.{n}" for n in range(9))))
    assert gate.told(pool(data), PAGES).endswith("but for 10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3, …")


def test_other_sections_with_servers_of_the_same_name_stay() -> None:
    data = b"backend app2\n" + SERVER + b"backend app\n" + SERVER + b"frontend app2\n  bind :1\n"
    assert closed(data) == b"backend app2\n" + SERVER + closed(b"backend app\n" + SERVER) + b"frontend app2\n  bind :1\n"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.replace(b"503", b"500"),
        lambda data: data.replace(b"::1", b"::2"),
        lambda data: data.replace(b'"120"', b'"12"'),
        lambda data: data.replace(b"a.html", b"b.html"),
        lambda data: data.replace(b"127.0.0.1:1\n", b"127.0.0.1:2\n"),
        lambda data: data.replace(b"# who\n", b"# whom\n"),
        lambda data: data.replace(b"backend app\n", b"backend app\n    http-request allow\n"),
        lambda data: data.replace(b"maxconn 100", b"maxconn 10"),
        lambda data: data.replace(b"backend app\n", b"backend ap\n"),
        lambda data: data + b"# more\n",
    ],
    ids=["status", "allowed", "retry", "page", "server", "comment", "rule", "global", "name", "end"],
)
def test_any_other_difference_is_found(spoil) -> None:  # type: ignore[no-untyped-def]
    data = HEAD + b"# who\nbackend app\n" + SERVER
    wrong = spoil(closed(data))
    assert wrong != closed(data)
    with pytest.raises(UnintendedEdit):
        gate.verify(loaded(data), pool(data), wrong, GATE, PAGES)


def test_an_opening_that_leaves_the_rule_is_found() -> None:
    data = closed(HEAD + b"backend app\n" + SERVER)
    with pytest.raises(UnintendedEdit):
        gate.verify(loaded(data), pool(data), data, None, PAGES)


def test_the_second_reader_judges_and_finds_another_difference() -> None:
    data = b"backend app\n" + SERVER
    before, after = pool(data), pool(closed(data))
    assert gate.second_reader(before, after, PAGES)
    assert gate.second_reader(after, before, PAGES)
    other = pool(closed(data).replace(b"127.0.0.1:1\n", b"127.0.0.1:2\n"))
    with pytest.raises(UnintendedEdit, match="pyhaproxy"):
        gate.second_reader(before, other, PAGES)
    crooked = before._replace(section=replace(before.section, lines=[]))
    assert referee.rows(crooked) == []


@pytest.mark.parametrize("name", good())
def test_every_pool_of_every_fixture(name: str, haproxy_binary: str, tmp_path: Path) -> None:
    """Closed, it is as HAProxy accepts it too, and opened again it has the bytes that it had."""
    page = tmp_path / "page.html"
    page.write_text("closed")
    wanted = GATE._replace(page=str(page))
    data = (FOLDER / name).read_bytes()
    config = loaded(data, Facts(ENV))
    found = [b for b in pools.backends(config) if b.context == "http" and b.section.head.sure]
    for backend in found[:3]:
        after = text.apply(data, gate.closing(backend, wanted, str(tmp_path)))
        gate.verify(config, backend, after, wanted, str(tmp_path))
        again = next(b for b in pools.backends(loaded(after, Facts(ENV))) if b.name == backend.name)
        assert text.apply(after, gate.opening(again, str(tmp_path))) == data
        if not check(haproxy_binary, data):
            assert check(haproxy_binary, after) == ""
