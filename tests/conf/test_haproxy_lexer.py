"""Words of a line, as HAProxy splits them: each rule, and random lines that HAProxy itself must read in the same way."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyswitch.conf.haproxy import lexer
from proxyswitch.conf.haproxy.lexer import BadLine

ENV = {"A": "x", "LIST": "p q", "ODD": " r  s ", "EMPTY": "", "RAW": 'a"b#c\\d $A', "LC_ALL": "C"}

# what follows `.notice `, and its words
READ = [
    (b"a b", [b"a", b"b"]),
    (b"a\tb", [b"a", b"b"]),
    (b"a\vb\fc", [b"a", b"b", b"c"]),
    (b"a#b", [b"a"]),
    (b"a # b", [b"a"]),
    (b"a\\#b", [b"a#b"]),
    (b'"a#b"', [b"a#b"]),
    (b"'a#b'", [b"a#b"]),
    (b"a\\ b", [b"a b"]),
    (b"a\\tb", [b"a\tb"]),
    (b"a\\rb", [b"a\rb"]),
    (b"a\\\\b", [b"a\\b"]),
    (b"a\\qb", [b"a\\qb"]),
    (b"a\\", [b"a\\"]),
    (b"\\\"a\\'", [b"\"a'"]),
    (b"'a\\'", [b"a\\"]),
    (b'"it\'s"', [b"it's"]),
    (b"'say \"x\"'", [b'say "x"']),
    (b"a\"b\"'c'", [b"abc"]),
    (b"\\x41\\x4a", [b"AJ"]),
    (b'"\\x20"', [b" "]),
    (b"'\\x41'", [b"\\x41"]),
    (b"a\\x00b c", [b"a", b"c"]),
    (b"$A ${A}", [b"$A", b"${A}"]),
    (b"'$A'", [b"$A"]),
    (b'"$A"', [b"x"]),
    (b'"${A}y"', [b"xy"]),
    (b'"$Ay"', []),
    (b'"\\$A"', [b"$A"]),
    (b"\\$A", [b"\\$A"]),
    (b'"${NONE}" b', []),
    (b'"${NONE-d f}"', [b"d f"]),
    (b'"${EMPTY-d}"', []),
    (b'"${A-d}"', [b"x"]),
    (b'"${NONE-"}"', [b'"']),
    (b'"$LIST"', [b"p q"]),
    (b'"${LIST[*]}"', [b"p", b"q"]),
    (b'"a b${LIST[*]}c d"', [b"a bp", b"qc d"]),
    (b'"${NONE[*]-d f}"', [b"d", b"f"]),
    (b'"${NONE-x[*]}"', [b"x[*]"]),
    (b'"a${ODD[*]}b"', [b"a", b"r", b"s", b"b"]),
    (b'"${ODD[*]}" b', []),
    (b'"$RAW"', [b'a"b#c\\d $A']),
    (b'"" a', []),
    (b"a '' b", [b"a"]),
    (b"a\rb", [b"a"]),
    (b"a \r b", [b"a", b"b"]),
    (b"a\r", [b"a"]),
    (b"\xff\xc3\xa9", [b"\xff\xc3\xa9"]),
]
# what follows `.notice `, and the offset of what is wrong with it
REFUSED = [
    (b'"a', 0),
    (b"'a", 0),
    (b'a"b\rc"', 1),
    (b"'a\rb'", 0),
    (b'"a\\"', 0),
    (b"\\x4", 0),
    (b"\\xg1", 0),
    (b"\\x  ", 0),
    (b'"$"', 1),
    (b'"$1"', 1),
    (b'"${1}"', 1),
    (b'"${}"', 1),
    (b'"${A"', 1),
    (b'"${A b}"', 1),
    (b'"${A[x]}"', 1),
    (b'"${A-b"', 1),
    (b'"${.NONE}"', 1),
    (b'"" "a', 3),
]
LONG = b".notice " + b"x" * 400  # HAProxy 2.6 forgets the brace of a default when a line is longer than all before it


def said(haproxy: str, folder: Path, lines: list[bytes]) -> list[bytes]:
    """What HAProxy makes of each line: the message, or an error."""
    path = folder / "notices.cfg"
    path.write_bytes(b"\n".join([LONG, *lines]) + b"\n")
    done = subprocess.run([haproxy, "-c", "-f", str(path)], env=ENV, capture_output=True, check=False, timeout=60)
    found = re.finditer(
        rb"\[(?:NOTICE|ALERT)\][^\n]*? parsing \[[^]]*:(\d+)\]: (.*?)(?=\n\[(?:NOTICE|ALERT)\]|\n?\Z)",
        done.stderr,
        re.DOTALL,
    )
    answers = {int(m[1]): m[2] for m in found}
    return [answers[number] for number in range(2, len(lines) + 2)]


def agrees(line: bytes, answer: bytes) -> bool:
    """HAProxy prints the first word behind `.notice`, complains of a second one, or of the line."""
    try:
        words = [w.value for w in lexer.words(line, 0, len(line), ENV)]
    except BadLine:
        return not answer.startswith((b"Unexpected argument", b"'"))
    second = re.match(rb"Unexpected argument '(.*)' for '.notice'", answer, re.DOTALL)
    if second:
        return words[2:3] == [second[1]] or len(words) == 1  # behind an empty word nothing counts for us
    return len(words) < 3 and answer == b"'%b'." % b"".join(words[1:])


@pytest.mark.parametrize(("text", "words"), READ)
def test_words(text: bytes, words: list[bytes]) -> None:
    line = b".notice " + text
    assert [w.value for w in lexer.words(line, 0, len(line), ENV)] == [b".notice", *words]


def test_haproxy_reads_the_same_words(haproxy_binary: str, tmp_path: Path) -> None:
    lines = [b".notice " + text for text, _ in READ if b"\r" not in text[-1:]]
    for some in (lines[:25], lines[25:]):
        for line, answer in zip(some, said(haproxy_binary, tmp_path, some), strict=True):
            assert agrees(line, answer), (line, answer)


@pytest.mark.parametrize(("text", "at"), REFUSED)
def test_a_line_that_cannot_be_split_says_where(text: bytes, at: int) -> None:
    line = b".notice " + text
    with pytest.raises(BadLine) as error:
        lexer.words(line, 0, len(line), ENV)
    assert error.value.at - 8 == at


def test_haproxy_refuses_the_same_lines(haproxy_binary: str, tmp_path: Path) -> None:
    lines = [b".notice " + text for text, _ in REFUSED]
    for line, answer in zip(lines, said(haproxy_binary, tmp_path, lines), strict=True):
        assert not answer.startswith((b"Unexpected", b"'")), (line, answer)


PIECES = [
    *(b" ", b"  ", b"\t", b"\v", b"\f", b"\r", b"a", b"bc", b"-", b"#", b"'", b"'", b'"', b'"', b"\\", b"}", b"[*]"),
    *(b"\\ ", b"\\#", b'\\"', b"\\'", b"\\t", b"\\r", b"\\q", b"\\$", b"\\\\", b"\\x41", b"\\x4", b"\\xg", b"\\x00"),
    *(b"$A", b"${A}", b"${LIST}", b"${LIST[*]}", b"${ODD[*]}", b"${NONE}", b"${NONE-d f}", b"${NONE[*]-d f}", b"${A-z}"),
    *(b'${NONE-"}', b"${NONE-x[*]}", b"${", b"$", b"${}", b"${1}", b"${A", b"${EMPTY}", b"${EMPTY[*]}", b"${LIST[x]}"),
    *(b"$_", b'""', b"''", b'"${LIST[*]}"', b'"$RAW"', b'"a b${LIST[*]}c"', b"\xff", "é".encode()),
]
random_lines = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map(lambda parts: b".notice " + b"".join(parts))


@settings(max_examples=60)
@given(lines=st.lists(random_lines, min_size=40, max_size=45))  # it stops at 50 errors
def test_random_lines_are_read_as_haproxy_reads_them(
    lines: list[bytes], haproxy_binary: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for line, answer in zip(lines, said(haproxy_binary, tmp_path_factory.getbasetemp(), lines), strict=True):
        assert agrees(line, answer), (line, answer)


def test_a_variable_that_is_not_known_stands_for_itself() -> None:
    line = b'a "${B}" "$C" "${D-d}" "${E[*]}" "${.LINE}"'
    assert [w.value for w in lexer.words(line, 0, len(line))] == [b"a", b"${B}", b"$C", b"d", b"${E[*]}", b"${.LINE}"]


def test_what_haproxy_sets_itself_is_not_known() -> None:
    line = b'"$HAPROXY_LOCALPEER" "${.FILE}"'
    assert [w.value for w in lexer.words(line, 0, len(line), {})] == [b"$HAPROXY_LOCALPEER", b"${.FILE}"]


def test_words_know_where_they_stand() -> None:
    line = b' a  "b c"\t"${LIST[*]}d" # e'
    found = lexer.words(line, 0, len(line), ENV)
    assert [line[w.start : w.end] for w in found] == [b"a", b'"b c"', b'"${LIST[*]}', b'"${LIST[*]}d"']
    assert [w.start for w in found[2:]] == [10, 10]


def test_only_the_words_between_the_offsets_count() -> None:
    assert [w.value for w in lexer.words(b'x "a b" c"', 2, 7)] == [b"a b"]
    with pytest.raises(BadLine):
        lexer.words(b'x "a b" c"', 2, 6)


@pytest.mark.parametrize("text", ["a", "a b", 'a"b', "a'b", "a$b", "${A}", "a\\b", "a#b", "", "\t", "é", "a\\"])
def test_a_quoted_text_means_itself(text: str) -> None:
    data = lexer.quoted(text)
    found = lexer.words(data, 0, len(data), ENV)
    assert [w.value.decode() for w in found] == ([text] if text else [])
