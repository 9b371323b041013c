from __future__ import annotations

import pytest

from proxyswitch.conf.nginx import tree
from proxyswitch.conf.nginx.tree import Directive, Document
from proxyswitch.errors import ConfigError

DATA = b"""events {}
http {
    upstream app { server "a b:1" down; } include x; # c
\tserver
    {
        listen 1;
    }
}
"""


def flat(document: Document) -> list[Directive]:
    out, stack = [], list(reversed(document.directives))
    while stack:
        out.append(stack.pop())
        stack += reversed(out[-1].body or [])
    return out


def test_every_node_knows_its_bytes() -> None:
    document = tree.parse(DATA)
    texts = {d.name: DATA[slice(*document.span(d))] for d in flat(document)}
    assert texts[b"events"] == b"events {}"
    assert texts[b"upstream"] == b'upstream app { server "a b:1" down; }'
    assert texts[b"listen"] == b"listen 1;"
    assert texts[b"http"] == DATA[DATA.index(b"http") :].rstrip()
    assert document.dumps() == DATA


def test_contexts_lines_and_arguments() -> None:
    document = tree.parse(DATA, "a.conf")
    (upstream,), (include,) = document.upstreams, document.includes
    (server,) = upstream.body or []
    assert server.context == (b"http", b"upstream")
    assert include.context == (b"http",)
    assert document.args(server) == [b"a b:1", b"down"]
    assert str(document.where(server)) == "a.conf:3"
    assert DATA[upstream.open : upstream.open + 1] == b"{"
    assert [d.name for d in document.directives] == [b"events", b"http"]
    assert document.directives[0].body == []
    assert server.body is None


def test_bytes_that_are_no_utf8_survive_as_text() -> None:
    document = tree.parse(b"a \xff\xc3\xa4;")
    (arg,) = document.text(document.directives[0])
    assert arg.encode("utf-8", "surrogateescape") == b"\xff\xc3\xa4"


def test_an_open_block_is_named_with_its_line() -> None:
    with pytest.raises(ConfigError) as error:
        tree.parse(b"http {\n server {\n listen 1;\n}\n", "n.conf")
    assert str(error.value) == 'n.conf:5:1: unexpected end of file, expected "}" for "http" of line 1'


def test_a_column_counts_bytes() -> None:
    with pytest.raises(ConfigError) as error:
        tree.parse("a 'ä';\nä 'ö'x;".encode(), "n.conf")
    assert (error.value.line, error.value.column) == (2, 8)


def test_deep_blocks_do_not_exhaust_the_stack() -> None:
    data = b"a {" * 20_000 + b"}" * 20_000
    assert tree.parse(data).dumps() == data
