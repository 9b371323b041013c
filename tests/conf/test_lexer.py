"""Each rule of `ngx_conf_read_token`, and real nginx as the judge of every example."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyswitch.conf.nginx import tree
from proxyswitch.errors import ConfigError
from tests.conf.helpers import words
from tests.nginx_check import Nginx

# The words of a directive. Real nginx reads each inside `types { }`, which takes any words at all.
READ = {
    b"a b;": [b"a", b"b"],
    b"\t a\r\n\tb\nc ;": [b"a", b"b", b"c"],
    b"a b;c d;": [b"a", b"b", b"c", b"d"],
    # a quote counts only at the start of a word
    b"a 'b c' \"d;{}#\";": [b"a", b"b c", b"d;{}#"],
    b"a b'c d'e\"f;": [b"a", b"b'c", b"d'e\"f"],
    b"a '' \"\";": [b"a", b"", b""],
    b"a 'b\nc';": [b"a", b"b\nc"],
    b"a 'b\"c' \"d'e\";": [b"a", b'b"c', b"d'e"],
    b"'a' b;": [b"a", b"b"],
    b'a "b")c;': [b"a", b"b", b")c"],
    b'a "b");': [b"a", b"b", b")"],
    # a comment begins only at the start of a word
    b"a b#c; # d; e\n": [b"a", b"b#c"],
    b"a # ; ' \" {\n b;": [b"a", b"b"],
    b"a b;#c": [b"a", b"b"],
    b"a b; # no newline at the end": [b"a", b"b"],
    b"#a\n#b\r\na b;": [b"a", b"b"],
    # a brace closes only at the start of a word
    b"a b} c}d;": [b"a", b"b}", b"c}d"],
    # a backslash takes the next byte with it
    b"a b\\ c \\;d e\\{f;": [b"a", b"b\\ c", b"\\;d", b"e\\{f"],
    b"a \\# \\'b c\\\"d \\\\;": [b"a", b"\\#", b"'b", b'c"d', b"\\"],
    b"a 'b\\'c' \"d\\\"e\" 'f\\\\';": [b"a", b"b'c", b'd"e', b"f\\"],
    b"a \\t\\r\\n\\x \\d+ 'a\\tb';": [b"a", b"\t\r\n\\x", b"\\d+", b"a\tb"],
    b"a b\\\nc;": [b"a", b"b\\\nc"],
    # ${ opens no block
    b"a ${b} c${d}e;": [b"a", b"${b}", b"c${d}e"],
    b"a $b '${c}';": [b"a", b"$b", b"${c}"],
    b"a ${{b;": [b"a", b"${{b"],
    b"a $${b;": [b"a", b"$${b"],
    b"a $\\{b;": [b"a", b"$\\{b"],
    # whatever the encoding
    b"a \xe4\xff \xc3\xa4;": [b"a", b"\xe4\xff", b"\xc3\xa4"],
    b"\xef\xbb\xbfa b;": [b"\xef\xbb\xbfa", b"b"],
    b"a \x0b\x0c\xa0;": [b"a", b"\x0b\x0c\xa0"],  # none of these separates words
    b"": [],
    b" \r\n\t": [],
}

# What is refused, where, and what the message says.
REFUSED = {
    b"a b": (1, 4, 'expected ";" or "{"'),
    b"a b\n": (2, 1, 'expected ";" or "{"'),
    b"a b # c": (1, 8, 'expected ";" or "{"'),
    b";": (1, 1, 'unexpected ";", expected a directive'),
    b"a b;;": (1, 5, 'unexpected ";"'),
    b"\n {}": (2, 2, 'unexpected "{", expected a directive'),
    b"a b }": (1, 5, 'unexpected "}", expected ";" before it'),
    b"a b; }": (1, 6, 'unexpected "}", no block is open here'),
    b"a 'b": (1, 3, "the quote ' is not closed"),
    b'a "b;\nc \\";': (1, 3, 'the quote " is not closed'),
    b"a 'b\\'": (1, 3, "the quote ' is not closed"),
    b"a 'b'c;": (1, 6, 'unexpected "c", expected a space, ";" or "{" after the quote'),
    b"a 'b'#c\n;": (1, 6, 'unexpected "#"'),
    b"a 'b'}": (1, 6, 'unexpected "}"'),
    b'a "b""c";': (1, 6, 'unexpected """'),
    b"a 'b'": (1, 6, 'expected ";" or "{"'),
    b"a b\\": (1, 4, 'unexpected end of file after "\\"'),
    b"a b;\\": (1, 5, 'unexpected end of file after "\\"'),
}

SYNTAX = (b"unexpected ", b"too long parameter")


class Types:
    """Real nginx reading words, twice: at the second time it warns about each, and so shows how it has read it."""

    def __init__(self, nginx: Nginx, folder: Path) -> None:
        self.nginx, self.folder = nginx, folder
        head = b"events {} pid p.pid; http { access_log off; types_hash_bucket_size 8192; types {"
        (folder / "nginx.conf").write_bytes(head + b"include words.types; include words.types; } }")

    def read(self, data: bytes) -> bytes:
        (self.folder / "words.types").write_bytes(data)
        return self.nginx.test(self.folder / "nginx.conf").stderr

    def refuses(self, data: bytes) -> bool:
        said = self.read(data)
        return b"[emerg]" in said and any(word in said for word in SYNTAX)


@pytest.fixture(scope="module")
def types(nginx: Nginx, tmp_path_factory: pytest.TempPathFactory) -> Types:
    return Types(nginx, tmp_path_factory.mktemp("types"))


@pytest.mark.parametrize("data", READ)
def test_words(data: bytes) -> None:
    assert [word for row in words(data) for word in row] == READ[data]


@pytest.mark.parametrize("data", REFUSED)
def test_refused(data: bytes) -> None:
    line, column, what = REFUSED[data]
    with pytest.raises(ConfigError) as error:
        tree.parse(data, "a.conf")
    assert str(error.value).startswith(f"a.conf:{line}:{column}: ")
    assert what in str(error.value)
    assert (error.value.path, error.value.line, error.value.column) == ("a.conf", line, column)


def agrees(types: Types, data: bytes) -> None:
    """nginx reads each argument as we do: its warnings carry them, in lower case (it hashes file extensions)."""
    said = types.read(data)
    assert not any(b"[emerg]" in line and any(w in line for w in SYNTAX) for line in said.splitlines()), said
    for name, *args in words(data):
        for arg in args:
            lower = bytes(c + 32 if 65 <= c <= 90 else c for c in arg)
            assert b'duplicate extension "%s", content type: "%s"' % (lower, name) in said


@pytest.mark.parametrize("data", READ)
def test_nginx_reads_the_same_words(data: bytes, types: Types) -> None:
    agrees(types, data)


@pytest.mark.parametrize("data", REFUSED)
def test_nginx_refuses_too(data: bytes, types: Types) -> None:
    assert types.refuses(data)


# b"\0" ends a word for nginx's messages only, so it cannot be compared
soup = st.lists(st.sampled_from([*b" \t\n\r;\"'\\#}$){ab\xff", *b"  ;\n"]), max_size=14).map(bytes)
WITHOUT_BLOCKS = soup.map(lambda data: b"a " + data + b" b;")


@settings(max_examples=150)
@given(data=st.one_of(soup, WITHOUT_BLOCKS))
def test_nginx_and_we_agree_on_any_soup(data: bytes, types: Types) -> None:
    try:
        blocks = any(d.body is not None for d in tree.parse(data).directives)
    except ConfigError:
        assert types.refuses(data)
        return
    if blocks:  # read well, but `types` refuses the block itself
        assert b'unexpected "{"' in types.read(data)
    else:
        agrees(types, data)


BLOCKS = {
    b"http { server { listen 1; } }": True,
    b"http{server{listen 1;}}": True,
    b"http { server { listen 1; }": False,
    b"http { server { listen 1 } }": False,
    b"http { server { listen 1; } } }": False,
    b"http { server { listen 1;; } }": False,
    b"http { }; ": False,
    b"http { map $uri $a { ~\\d{2} b; } }": False,  # a brace outside quotes ends the word
    b'http { map $uri $a { "~\\d{2}" b; } }': True,
    b"http { map $uri $a { a} b; } }": True,
    b"http # {\n{ #}\n} # }": True,
    b"http {\r\n}\r\n": True,
    b'"http" { \'server\' { "listen" 1; } }': True,
    b"http {} 'x": False,
    b"http { server { set $a ${b; } }": True,  # for the tokenizer; nginx then refuses the variable's name
}


@pytest.mark.parametrize("data", BLOCKS)
def test_blocks_as_nginx_reads_them(data: bytes, nginx: Nginx, tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_bytes(b"events {} pid p.pid;\n" + data)
    said = nginx.test(tmp_path / "nginx.conf").stderr
    assert any(word in said for word in SYNTAX) is not BLOCKS[data], said
    try:
        assert tree.parse(data).dumps() == data
        accepted = True
    except ConfigError:
        accepted = False
    assert accepted is BLOCKS[data]


def test_what_only_nginx_refuses(types: Types) -> None:
    """A word or comment that outgrows nginx's buffer of 4096 bytes: the limit is its own, `nginx -t` names it."""
    data = b"a " + b"b" * 5000 + b";"
    assert types.refuses(data)
    assert tree.parse(data).dumps() == data


LUA = {
    b"{ a() }": b" b;",
    b"{ local a = { b = { 1 } } }": b" b;",
    b"{ -- } ' \"\n }": b" b;",
    b"{ --[[ } \n } ]] }": b" b;",
    b"{ --[==[ } ]] } ]==] }": b" b;",
    b"{ a = [[ } ]] .. [=[ ]] } ]=] }": b" b;",
    b"{ a = '}' .. \"{\" .. '\\'}' .. \"\\\\\" }": b" b;",
    b"{ a = b[c[1]] # t }": b" b;",
    b"{}": b" b;",
}


@pytest.mark.parametrize("code", LUA)
def test_lua_blocks(code: bytes) -> None:
    data = b"location / { content_by_lua_block " + code + b" after b; }"
    assert tree.parse(data).dumps() == data
    assert words(data) == [[b"location", b"/"], [b"content_by_lua_block"], [b"after", b"b"]]


@pytest.mark.parametrize("code", [b"{ --[[ } ]", b"{ { }", b"{ -- }"])
def test_a_lua_block_that_is_not_closed(code: bytes) -> None:
    with pytest.raises(ConfigError, match=r"^x:1:\d+: .*expected \"}\""):
        tree.parse(b"a_by_lua_block " + code, "x")
