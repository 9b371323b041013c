"""A value comes back from each format as it went in."""

from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyswitch.conf import nginx as nginx_conf
from proxyswitch.conf.haproxy import lexer
from proxyswitch.generate import quoting
from proxyswitch.model import Endpoint
from proxyswitch.settings_base import Bytes, Seconds

TEXT = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=("Cs", "Cc")), max_size=30)


@given(TEXT.filter(lambda text: "$" not in text))
def test_nginx_reads_the_word_again(text: str) -> None:
    document = nginx_conf.parse(f"a {quoting.nginx(text)} b;\n".encode())
    (directive,) = document.directives
    assert document.text(directive) == [text, "b"]


@given(TEXT.filter(bool))
def test_haproxy_reads_the_word_again(text: str) -> None:
    data = b"server " + quoting.haproxy(text).encode() + b" x"
    assert [word.value for word in lexer.words(data, 0, len(data))][1] == text.encode()


@given(TEXT)
def test_a_shell_and_json_read_it_again(text: str) -> None:
    assert shlex.split(quoting.sh(text)) == [text]
    assert json.loads(quoting.js(text)) == text


@given(st.lists(TEXT, min_size=1))
def test_so_do_several_words(words: list[str]) -> None:
    assert shlex.split(quoting.sh_words(words)) == words
    assert json.loads(quoting.js(words)) == words


@pytest.mark.parametrize(
    "write", [f for name, f in quoting.FILTERS.items() if name in {"nginx", "haproxy", "systemd", "sh"}]
)
@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b", "a\x7fb", "a\tb"])
def test_what_ends_a_line_is_refused(write: object, text: str) -> None:
    with pytest.raises(ValueError, match="ends a line"):
        write(text)  # type: ignore[operator]


def test_a_dollar_is_a_variable_of_nginxs() -> None:
    with pytest.raises(ValueError, match="variable"):
        quoting.nginx("$host")


def test_haproxy_has_no_empty_word() -> None:
    with pytest.raises(ValueError, match="empty word"):
        quoting.haproxy("")


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="no text"):
        quoting.nginx(None)
    with pytest.raises(ValueError, match="no text"):
        quoting.js(object())


def test_values_in_the_words_of_the_field() -> None:
    assert quoting.nginx(Endpoint("::1", 80)) == "[::1]:80"
    assert quoting.nginx(True) == "yes"
    assert [quoting.duration(t) for t in (60, 0.5, Seconds(2))] == ["60s", "500ms", "2s"]
    assert [quoting.size(Bytes(n)) for n in (10 << 20, 64 << 10, 1000, 0, 3 << 30)] == ["10m", "64k", "1000", "0", "3g"]
    assert quoting.milliseconds(Seconds(1.5)) == "1500"
    assert quoting.systemd("100%") == "100%%"
    assert quoting.systemd_words(["/a b", "$x", "50%", 'say "hi"', ";"]) == '"/a b" $$x 50%% "say \\"hi\\"" ";"'
    assert quoting.js({"a": [1, True, "b"]}) == '{"a": [1, true, "b"]}'
