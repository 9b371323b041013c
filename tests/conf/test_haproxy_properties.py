"""Properties of the parser and of edits, over generated configs and over any bytes at all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import assume, example, given
from hypothesis import strategies as st

from proxyswitch.conf import text
from proxyswitch.conf.haproxy import edits, lexer, parse, pools, referee
from proxyswitch.conf.haproxy.condition import Facts
from proxyswitch.conf.haproxy.pools import Backend
from proxyswitch.conf.haproxy.verify import verify
from proxyswitch.errors import ConfigError
from proxyswitch.model import PoolChange, Server, ServerChange
from tests.conf.haproxy_helpers import loaded, pool, servers

PIECES = [
    *(b"global", b"defaults", b"backend", b"listen", b"frontend", b"server", b"default-server", b"server-template", b"from"),
    *(
        b"weight",
        b"disabled",
        b"cookie",
        b"setenv",
        b".if",
        b".elif",
        b".else",
        b".endif",
        b"defined(A)",
        b"0",
        b"1",
        b"a:1",
    ),
    *(
        b" ",
        b" ",
        b"\t",
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b"#",
        b'"',
        b"'",
        b"\\",
        b'"$A"',
        b'"${A[*]}"',
        b'""',
        b"\\x41",
        b"\xff",
    ),
]
any_bytes = st.one_of(st.binary(max_size=120), st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))


@given(any_bytes)
@example(b"global\n" + b'"' * 5000)
@example(b"global\n" + b"\\" * 5001)
@example(b".if (" + b"(" * 100)
@example(b".if !!!!!!!!" * 2)
@example(b'backend a\n server "a' + b" x" * 3000)
@example(b"backend a\n" + b" server a a:1 'x' \"y\" z\n" * 2000 + b"'")
def test_any_bytes_parse_or_are_a_config_error(data: bytes) -> None:
    for before, facts in ((b"", None), (b"backend app\n server s a:1\n", Facts({"A": "b c"}))):
        place = ("x", 1, 1)
        try:
            assert parse(before + data, "x", facts).dumps() == before + data
            found = pools.backends(loaded(before + data, facts))
        except ConfigError as error:
            place, found = (error.path, error.line, error.column), []
        assert place[0] == "x"
        assert place[1] >= 1 <= place[2]
        assert all(row.server.name and row.server.address for backend in found for row in backend.lines)


@given(any_bytes)
def test_lines_do_not_overlap_and_leave_out_blanks_and_comments_only(data: bytes) -> None:
    try:
        document = parse(b"global\n" + data, "x")
    except ConfigError:
        assume(False)
    data, at, left = document.data, 0, []
    for section in document.sections:
        for line in (section.head, *section.lines):
            assert at <= line.start < line.end <= len(data)
            left.append(data[at : line.start])
            at = line.end
            assert document.words(line)[0].value == line.keyword
            assert line.number == data.count(b"\n", 0, line.start) + 1
            assert document.text(line) == [w.value.decode("utf-8", "surrogateescape") for w in document.words(line)]
    for raw in b"".join([*left, data[at:]]).split(b"\n"):
        first = raw.strip()[:1]
        assert first in (b"", b"#", b".", b"[", b'"', b"'", b"\\") or b".if" in data or b".IF" in data


names = st.sampled_from(["a", "a1", "b", "app-blue", "app-blue2", "server", "disabled", "127.0.0.1:1"])
addresses = st.sampled_from(
    ["a:1", "127.0.0.1:3001", "[::1]:3001", "::1:3001", "unix@/run/app.sock", "long.example.com:65000"]
)
params = st.lists(
    st.sampled_from(
        [("check",), ("cookie", "disabled"), ("cookie", "a b"), ("inter", "2s"), ("redir", "backup"), ("no-ssl",)]
    ),
    max_size=2,
    unique=True,
).map(lambda groups: tuple(word for group in groups for word in group))
server = st.builds(Server, addresses, st.sampled_from([1, 1, 2, 20, 256]), st.booleans(), st.booleans(), params, names)
blank = st.sampled_from([" ", " ", "  ", "\t", "      "])
end = st.sampled_from(["", "", "  # one", " # disabled weight 3", "\t#x", "#", " "])


@st.composite
def server_line(draw: st.DrawFn, one: Server) -> bytes:
    """A server line as some person may have written it, with all that it says."""
    said = [["weight", str(one.weight)], [("no-backup", "backup")[one.backup]], [("enabled", "disabled")[one.down]]]
    words = [word for group in draw(st.permutations(said)) for word in group]
    words = [*one.params, *words] if draw(st.booleans()) else [*words, *one.params]
    quote = draw(st.sampled_from(["", "", '"', "'"]))
    head = f"server{draw(blank)}{quote}{one.name}{quote}{draw(blank)}{one.address}"
    body = "".join(draw(blank) + lexer.quoted(word).decode() for word in words)
    return (draw(st.sampled_from(["", " ", "    ", "\t"])) + head + body + draw(end)).encode()


@st.composite
def config(draw: st.DrawFn) -> bytes:
    """A config with the pool `app`, and others before and behind it."""
    newline = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    defaults = draw(
        st.sampled_from([b"", b" default-server weight 20", b" default-server disabled", b" default-server backup inter 3s"])
    )
    lines = [b"defaults", b" mode http", defaults, b"backend app2", b" server a a:1", b"# it", b"backend app"]
    some = draw(st.lists(server, max_size=4, unique_by=lambda s: s.name))
    extra = st.sampled_from([b" balance first", b" # server a a:1", b"", b" option httpchk", b" default-server weight 7"])
    for one in some:
        lines += [draw(server_line(one)), *draw(st.lists(extra, max_size=1))]
    lines += draw(st.sampled_from([[], [b"listen ap", b" server a a:1"], [b"", b"backend other"]]))
    return newline.join(lines) + draw(st.sampled_from([newline, newline, b""]))


@st.composite
def change(draw: st.DrawFn, backend: Backend) -> PoolChange:
    """Some change of that pool: lines changed, taken out, added."""
    made = []
    for one in servers(backend):
        what = draw(st.sampled_from(["keep", "change", "remove"]))
        if what == "change":
            new = draw(server)
            made.append(ServerChange(one, replace(new, name=one.name, params=one.params)))
        elif what == "remove":
            made.append(ServerChange(one, None))
    taken = {s.name for s in servers(backend)}
    fresh = draw(st.lists(server.filter(lambda s: s.name not in taken), max_size=2, unique_by=lambda s: s.name))
    return PoolChange("app", tuple(draw(st.permutations([*made, *(ServerChange(None, s) for s in fresh)]))))


@given(config(), st.data())
def test_an_edit_makes_exactly_the_change_that_was_asked(data: bytes, draw: st.DataObject) -> None:
    before = loaded(data)
    (backend,) = pools.backends(before, "app")
    wanted = draw.draw(change(backend))
    after = text.apply(data, edits.edit(backend, wanted))
    changed = verify(before, backend, {before.documents[0].real: after}, wanted)
    referee.check(backend, changed, wanted)
    assert Counter(servers(changed)) == wanted.result(servers(backend))
    assert after.startswith(data[: backend.section.head.end])
    assert after.count(b"#") == data.count(b"#")
    assert b"\r\n" not in data or b"\n" not in after.replace(b"\r\n", b"")


@given(config(), st.data())
def test_any_number_of_edits_is_taken_back_by_their_inverses(data: bytes, draw: st.DataObject) -> None:
    now, done = data, []
    for _ in range(draw.draw(st.integers(1, 4))):
        wanted = draw.draw(change(pool(now)))
        now = text.apply(now, edits.edit(pool(now), wanted))
        done.append(wanted)
    for wanted in reversed(done):
        now = text.apply(now, edits.edit(pool(now), wanted.inverse()))
    assert Counter(servers(pool(now))) == Counter(servers(pool(data)))
    rest = [other for other in pools.backends(loaded(data)) if other.name != "app"]
    assert [servers(b) for b in pools.backends(loaded(now)) if b.name != "app"] == [servers(b) for b in rest]


@given(config(), st.data())
def test_a_state_that_goes_and_comes_back_leaves_the_words_as_they_were(data: bytes, draw: st.DataObject) -> None:
    backend = pool(data)
    assume(backend.lines)
    one = draw.draw(st.sampled_from(servers(backend)))
    wanted = PoolChange("app", (ServerChange(one, replace(one, down=not one.down)),))
    there = text.apply(data, edits.edit(backend, wanted))
    again = text.apply(there, edits.edit(pool(there), wanted.inverse()))
    assert again.count(b"\n") == data.count(b"\n")
    assert servers(pool(again)) == servers(backend)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12))
def test_a_quoted_text_is_one_word_that_means_it(value: str) -> None:
    data = b"a " + lexer.quoted(value) + b" b"
    found = [w.value.decode() for w in lexer.words(data, 0, len(data), {"A": "x"})]
    assert found == (["a", value, "b"] if value else ["a"])
