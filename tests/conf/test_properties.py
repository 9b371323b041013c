"""Properties of the parser and of edits, over generated configs and over any bytes at all."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace

import pytest
from crossplane.lexer import _lex_file_object
from hypothesis import assume, example, given
from hypothesis import strategies as st

from proxyswitch.conf import referee, text
from proxyswitch.conf.nginx import edits, lexer, tree
from proxyswitch.conf.nginx.tree import Directive, Document
from proxyswitch.conf.nginx.verify import rows, verify
from proxyswitch.errors import ConfigError
from proxyswitch.model import PoolChange, Server, ServerChange
from tests.conf.helpers import first, loaded, pool

plain = st.binary(min_size=1, max_size=6).filter(
    lambda w: not set(w) & set(b" \t\r\n;{}\\$\"'#\0") and not w.startswith(b"server")
)
quoted = st.one_of(
    st.sampled_from([b'"a b"', b"'it\"s'", b'"x;{}#"', b'"\\""', b"'\\\\'", b'""', b'"\n"', b"'\xff'"]),
    plain.map(lambda w: b'"' + w + b'"'),
)
special = st.sampled_from([b"${a}", b"a${b}c", b"$x", b"a\\ b", b"\\;", b"\\#", b"a#b", b"a}b", b"\\{2\\}", b"a'b\""])
word = st.one_of(plain, plain, quoted, special)
comment = st.binary(max_size=8).map(lambda c: b"#" + c.replace(b"\n", b"") + b"\n")
blank = st.one_of(st.sampled_from([b" ", b"\t", b"\n", b"\r\n", b"    "]), comment.map(lambda c: b" " + c))
gap = st.lists(blank, min_size=1, max_size=3).map(b"".join)
space = st.one_of(st.just(b""), gap)


@st.composite
def directive(draw: st.DrawFn, body: st.SearchStrategy[bytes] | None = None) -> bytes:
    words = draw(st.lists(word, min_size=1, max_size=4))
    out = draw(space) + words[0] + b"".join(draw(gap) + w for w in words[1:]) + draw(space)
    return out + (b";" if body is None else b"{" + draw(body) + b"}") + draw(space)


simple = st.lists(directive(), max_size=4).map(b"".join)
nested = st.recursive(simple, lambda body: st.lists(directive(body), max_size=3).map(b"".join), max_leaves=6)
configs = st.tuples(nested, st.sampled_from([b"", b"# no newline at the end", b"\n"])).map(b"".join)


def flat(document: Document) -> list[Directive]:
    return [directive for directive, _ in rows(document)]


@given(configs)
def test_nothing_is_lost(data: bytes) -> None:
    document = tree.parse(data)
    assert document.dumps() == data
    for one in flat(document):
        start, end = document.span(one)
        spans = [start, *(at for pair in one.words for at in pair), end]
        assert spans == sorted(spans)
        assert data[end - 1 : end] == (b";" if one.body is None else b"}")
        assert [lexer.value(data, a, b) for a, b in one.words] == [one.name, *document.args(one)]


@given(configs)
def test_the_spans_rebuild_the_text(data: bytes) -> None:
    """What lies between the words is blanks, comments, `;` and braces: no byte is left to chance."""
    document = tree.parse(data)
    words = sorted(span for one in flat(document) for span in one.words)
    rest, at = [], 0
    for start, end in words:
        assert at <= start < end
        rest.append(data[at:start])
        at = end
    rest.append(data[at:])
    for between in rest:
        bare = b"".join(line.partition(b"#")[0] for line in between.split(b"\n"))
        assert not (bare if b"#" in between else between).strip(b" \t\r\n;{}")


@given(configs, st.data())
def test_a_text_without_the_end_of_a_directive_is_refused(data: bytes, draw: st.DataObject) -> None:
    document = tree.parse(data)
    assume(document.directives)
    last = document.directives[-1]
    with pytest.raises(ConfigError) as error:
        tree.parse(data[: draw.draw(st.integers(last.start + 1, last.end - 1))], "x.conf")
    assert error.value.path == "x.conf"
    assert error.value.line >= 1 <= error.value.column


@given(st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(list(b"a \n;{}\"'\\$#-[]=_")), max_size=60).map(bytes)))
@example(b"a_by_lua_block {" + b"--[[" * 50)
@example(b'"' + b"\\" * 5001)
@example(b"${" * 5000)
@example(b"#" * 5000 + b"\n" * 5000)
@example(b"a " * 20000)
def test_any_bytes_parse_or_are_a_config_error(data: bytes) -> None:
    for text_ in (data, b"http { upstream app { " + data + b" } }"):
        try:
            line = column = 1
            assert tree.parse(text_, "x").dumps() == text_
        except ConfigError as error:
            line, column = error.line, error.column
        assert line >= 1 <= column


# Where crossplane is right. It is wrong, against nginx itself, about: every backslash (kept in values, or taken with
# whatever character follows it), `${…}` (read up to a closing brace, over quotes and blanks), `}` inside a word (it
# closes a block there), blanks of Unicode and of ASCII beyond space, tab, CR and LF (\v, \f, \x1c … \x1f, \x85, \xa0:
# they separate words for it), an empty quoted word at the end of a file, bytes that are no UTF-8, a missing `;` at the
# end, a comment that ends without a newline, `"a")` and CR inside quotes (its file is opened with universal newlines).
KNOWN_WRONG = set("\\}\v\f\x1c\x1d\x1e\x1f\x85\xa0")
calm = st.text(
    st.characters(codec="ascii", exclude_characters=" \t\r\n;{}\\$\"'#\0\v\f\x1c\x1d\x1e\x1f"), min_size=1, max_size=5
)
calm_word = st.one_of(
    calm, calm.map(lambda w: f'"{w} ;{{#"'), calm.map(lambda w: f"'{w}\"'"), calm.map(lambda w: f"{w}#'\"")
)
calm_gap = st.sampled_from([" ", "\t", "\n", " # c ; { '\n", "  "])


@st.composite
def calm_config(draw: st.DrawFn) -> str:
    out = []
    for _ in range(draw(st.integers(0, 5))):
        words = draw(st.lists(calm_word, min_size=1, max_size=4))
        out.append("".join(w + draw(calm_gap) for w in words) + draw(st.sampled_from([";", ";\n", "{ a b; }", "{}\n"])))
    return "".join(out) + "\n"


@given(calm_config())
def test_crossplane_reads_the_same_tokens(data: str) -> None:
    assert not KNOWN_WRONG & set(data.replace("{ a b; }", "").replace("{}", ""))
    theirs = [
        (token, quoted) for token, _, quoted in _lex_file_object(io.StringIO(data)) if quoted or not token.startswith("#")
    ]
    ours: list[tuple[str, bool]] = []
    raw, at = data.encode(), 0
    while True:
        match = lexer.next_token(raw, at)
        at = match.end()
        if match.lastindex is None:
            break
        start, end = match.span(match.lastindex)
        is_quoted = match.lastindex == lexer.WORD and raw[start : start + 1] in (b'"', b"'")
        ours.append((lexer.value(raw, start, end).decode(), is_quoted))
    assert ours == theirs


addresses = st.sampled_from(["a:1", "b:22", "127.0.0.1:3001", "[::1]:3001", "unix:/run/app.sock", "long.example.com:65000"])
params = st.lists(st.sampled_from(["max_fails=0", "fail_timeout=10s", "max_conns=5"]), max_size=2, unique=True)
servers = st.builds(Server, addresses, st.sampled_from([1, 1, 2, 30]), st.booleans(), st.booleans(), params.map(tuple))


@st.composite
def server_text(draw: st.DrawFn, server: Server) -> bytes:
    """A server directive as some person may have written it."""
    words = [f"weight={server.weight}"] if server.weight != 1 or draw(st.booleans()) else []
    words += server.params
    words += [flag for flag in ("down", "backup") if getattr(server, flag)]
    quote = draw(st.sampled_from(["", "", '"', "'"]))
    out = b"server" + draw(gap) + f"{quote}{server.address}{quote}".encode()
    for one in draw(st.permutations(words)):
        out += draw(gap) + one.encode()
    return out + draw(space) + b";" + draw(space)


@st.composite
def pool_text(draw: st.DrawFn) -> bytes:
    lines = [draw(server_text(s)) for s in draw(st.lists(servers, min_size=1, max_size=4))]
    other = draw(st.sampled_from([b"", b"least_conn;", b" keepalive 4; # x\n", b"zone z 64k;\r\n"]))
    body = draw(space) + b"".join(lines) + other
    again = b"upstream app2 { server a:1; } "
    around = draw(simple)
    return around + b"upstream app {" + body + b"}" + draw(space) + again + around


@st.composite
def changes(draw: st.DrawFn, there: list[Server]) -> PoolChange:
    """What commands make: new address, weight, `down` or `backup`; lines that come and go."""
    out = []
    for server in there:
        kind = draw(st.sampled_from(["keep", "change", "remove"]))
        if kind == "change":
            new = draw(servers)
            out.append(ServerChange(server, replace(new, params=server.params)))
        elif kind == "remove":
            out.append(ServerChange(server, None))
    out += [ServerChange(None, s) for s in draw(st.lists(servers, max_size=2))]
    return PoolChange("app", tuple(draw(st.permutations(out))))


@given(pool_text(), st.data())
def test_an_edit_changes_its_spans_and_exactly_what_was_asked(data: bytes, draw: st.DataObject) -> None:
    before = loaded(data)
    upstream = pool(before, "app")
    wanted = draw.draw(changes([line.server for line in upstream.lines]))
    made = edits.edit(upstream, wanted)
    after = text.apply(data, made[0].edits) if made else data
    config = loaded(after)
    verify(before, config, upstream, wanted)
    servers_after = [line.server for line in pool(config, "app").lines]
    assert Counter(servers_after) == wanted.result(line.server for line in upstream.lines)
    kept = [*made[0].edits] if made else []
    inside = upstream.directive
    assert all(inside.open < e.span.start <= e.span.end < inside.end or not upstream.lines for e in kept)
    assert after.startswith(data[: inside.open + 1])
    assert after.endswith(data[inside.end - 1 :])
    if made:  # where crossplane can read the file, it must see the same
        referee.check(upstream, "/conf/nginx.conf", after, wanted)


@given(pool_text(), st.data())
def test_the_inverse_gives_back_the_meaning(data: bytes, draw: st.DataObject) -> None:
    upstream = first(data)
    wanted = draw.draw(changes([line.server for line in upstream.lines]))
    made = edits.edit(upstream, wanted)
    there = text.apply(data, made[0].edits) if made else data
    back = edits.edit(first(there), wanted.inverse())
    again = text.apply(there, back[0].edits) if back else there
    assert Counter(line.server for line in first(again).lines) == Counter(line.server for line in upstream.lines)


@given(pool_text(), st.data())
def test_comments_stay(data: bytes, draw: st.DataObject) -> None:
    upstream = first(data)
    line = draw.draw(st.sampled_from(upstream.lines))
    new = draw.draw(servers)
    made = edits.edit(upstream, PoolChange("app", (ServerChange(line.server, replace(new, params=line.server.params)),)))
    after = text.apply(data, made[0].edits) if made else data
    assert after.count(b"#") == data.count(b"#")
    assert after.count(b"\n") == data.count(b"\n")
