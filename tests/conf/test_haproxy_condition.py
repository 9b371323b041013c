"""Conditions of `.if`, as HAProxy decides them; where they cannot be known here, that is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyswitch.conf.haproxy import condition
from proxyswitch.conf.haproxy.condition import BadCondition, Facts
from proxyswitch.conf.haproxy.document import Document, parse
from proxyswitch.errors import ConfigError
from tests.conf.haproxy_helpers import check, facts_of

VARIABLES = {"A": "x", "V": "2.6", "EMPTY": "", "LC_ALL": "C"}
BLOCK = "global\n.if {}\nyes\n.else\nnope\n.endif\n"
KNOWN = """
0|1|-1|00|0x1|0x0|+1|-0|!0|!1|! 1|!!1|(1)|( 0 )|1 && 0|1&&1|0||1|0 || 0|1 || 0 && 0|(1 || 0) && 0|!(0||0)&&1
defined(A)|defined(NONE)|!defined(A)|defined( A )|defined("A")|streq(a,a)|streq(a,b)|streq("$A",x)|streq("$A", x)
streq(,)|strneq(a,b)|strneq(a,a)|strneq("$EMPTY",)|feature(OPENSSL)|feature(NONE)|version_atleast(2)|version_atleast(2.0)
version_atleast(1.9.13)|version_atleast(99)|version_atleast(2.0-dev3)|version_before(2.0)|version_before(99.1-dev1)
version_atleast("$V")|!version_before(2.1)&&defined(A)||0
"""
CONDITIONS = [c for row in KNOWN.split("\n") for c in row.replace("||", "\0").split("|") if c]
CONDITIONS = [c.replace("\0", "||") for c in CONDITIONS]
BAD = ["maybe", "true", "1 1", "(", ")", "!", "(1", "1)", "&&", "1 &&", "1 & 1", "0 ||", "|| 1", "0 | 1", "defined(A"]
BAD += ["defined A", "streq(a)", "streq(a,b,c)", "1abc", "0 0x1"]


def decided(text: str, facts: Facts) -> str:
    """yes, nope, or both where it is not known."""
    document = parse(BLOCK.format(text).encode(), "x", facts)
    return " ".join(line.keyword.decode() for line in document.sections[0].lines)


def by_haproxy(text: str, haproxy: str) -> str:
    """yes, nope, or `bad`: it stops at the line that it then reads."""
    said = check(haproxy, BLOCK.format(text).encode(), env=VARIABLES)
    return next((word for word in ("yes", "nope") if f"unknown keyword '{word}'" in said), "bad")


@pytest.fixture(scope="module")
def facts(haproxy_binary: str) -> Facts:
    return replace(facts_of(haproxy_binary), env=VARIABLES)


@pytest.mark.parametrize("text", CONDITIONS)
def test_a_condition_is_decided_as_haproxy_does(text: str, facts: Facts, haproxy_binary: str) -> None:
    assert decided(text, facts) == by_haproxy(text, haproxy_binary) != "bad"


@pytest.mark.parametrize("text", BAD)
def test_a_condition_that_haproxy_refuses_is_refused(text: str, facts: Facts, haproxy_binary: str) -> None:
    assert by_haproxy(text, haproxy_binary) == "bad"
    with pytest.raises(ConfigError) as error:
        decided(text, facts)
    assert (error.value.path, error.value.line, error.value.column) == ("x", 2, 1)


pieces = st.sampled_from([c for c in (*CONDITIONS, *BAD) if "'" not in c] + ["&&", "||", "!", "(", ")", " ", "0", "1"])


@settings(max_examples=150)
@given(text=st.lists(pieces, min_size=1, max_size=5).map("".join))
def test_random_conditions_are_decided_as_haproxy_does(text: str, facts: Facts, haproxy_binary: str) -> None:
    try:
        ours = decided(text, facts)
    except ConfigError:
        ours = "bad"
    theirs = by_haproxy(text, haproxy_binary)
    assert ours == theirs or (ours, theirs) == ("yes nope", "bad")  # a predicate that a later version may have


def test_an_empty_condition_is_false(facts: Facts) -> None:
    assert decided("", facts) == decided(" # 1", facts) == "nope"


@pytest.mark.parametrize(
    "text",
    ["defined(A)", "feature(OPENSSL)", "version_atleast(2.6)", "version_before(2)", 'streq("$A",x)', 'strneq("$A",x)'],
)
def test_without_facts_nothing_is_known(text: str) -> None:
    assert decided(text, Facts()) == "yes nope"
    assert decided(f"!{text}", Facts()) == "yes nope"
    assert decided(f"{text} && 1 || 0", Facts()) == "yes nope"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("{} && 0", "nope"), ("0 && {}", "nope"), ("{} || 1", "yes"), ("1 || !({})", "yes"), ("!(1 || {})", "nope")],
)
def test_what_does_not_hang_on_the_unknown_is_known(text: str, verdict: str) -> None:
    assert decided(text.format("defined(A)"), Facts()) == verdict


@pytest.mark.parametrize(
    "text", ["defined(HAPROXY_LOCALPEER)", 'streq("$HAPROXY_LOCALPEER",x)', "version_atleast(2.6.12-5)", "awk_sample(x)"]
)
def test_what_only_haproxy_knows_is_unknown(text: str, facts: Facts) -> None:
    assert decided(text, facts) == "yes nope"


def test_a_development_version_comes_before_its_release() -> None:
    facts = Facts(version=(2, 6, 0))
    assert condition.holds("version_atleast(2.6-dev9)", facts) is True
    assert condition.holds("version_atleast(2.7-dev1)", facts) is False
    assert condition.holds("version_before(2.6-dev9)", facts) is False


def test_a_predicate_with_a_value_of_the_wrong_kind_is_a_bad_condition() -> None:
    with pytest.raises(BadCondition, match="streq with 1 arguments"):
        condition.holds("streq(a)", Facts())


@pytest.mark.parametrize("text", ["(" * 9999, "!" * 9999, "(" * 9999 + "1" + ")" * 9999, "1||" * 9999 + "1", "1&&" * 9999])
def test_a_condition_without_end_is_refused(text: str) -> None:
    with pytest.raises(BadCondition):
        condition.holds(text, Facts())


# blocks


def said(text: str, facts: Facts | None = None) -> list[tuple[str, bool]]:
    document: Document = parse(b"global\n" + text.encode(), "x", facts)
    return [(line.keyword.decode(), line.sure) for line in document.sections[0].lines]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (".if 1\na\n.elif 1\nb\n.else\nc\n.endif\nd", "a d"),
        (".if 0\na\n.elif 1\nb\n.elif 1\nc\n.else\ne\n.endif\nd", "b d"),
        (".if 0\na\n.elif 0\nb\n.else\nc\n.endif\nd", "c d"),
        (".if 0\n.if 1\na\n.else\nb\n.endif\nc\n.endif\nd", "d"),
        (".if 1\n.if 0\na\n.else\nb\n.endif\nc\n.endif\nd", "b c d"),
        (".if 0\n.if maybe\na\n.elif maybe\nb\n.endif\n.unknown\n.endif\nd", "d"),
        (".if 1\na\n.elif maybe\nb\n.endif\nd", "a d"),
        ("  .if 0 # 1\r\na\r\n.endif\r\nd\r\n", "d"),
        ('".if" 0\na\n".endif"\nd', "d"),
    ],
)
def test_only_one_branch_counts(text: str, lines: str) -> None:
    assert said(text) == [(word, True) for word in lines.split()]


def test_lines_behind_an_unknown_condition_are_not_sure() -> None:
    text = ".if defined(A)\na\n.elif 1\nb\n.else\nc\n.endif\nd"
    assert said(text) == [("a", False), ("b", False), ("d", True)]
    text = ".if defined(A)\n.if 0\na\n.else\nb\n.endif\n.else\nc\n.endif\nd"
    assert said(text) == [("b", False), ("c", False), ("d", True)]


def test_a_condition_that_cannot_be_read_is_no_fault_where_it_may_not_be_reached() -> None:
    assert said(".if defined(A)\n.if maybe\na\n.endif\n.elif maybe\nb\n.endif\nd") == [
        ("a", False),
        ("b", False),
        ("d", True),
    ]
    with pytest.raises(ConfigError):
        said(".if 0\n.elif maybe\n.endif")


def test_a_message_that_may_not_be_reached_is_no_fault() -> None:
    assert said('.if !defined(A)\n.alert "A is missing"\n.error "x"\n.endif\nd') == [("d", True)]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a\n.endif", 3, ".endif without .if"),
        (".else", 2, ".else without .if"),
        (".elif 1", 2, ".elif without .if"),
        (".if 1\n.else\n.else\n.endif", 4, ".else after .else"),
        (".if 1\n.else\n.elif 1\n.endif", 4, ".elif after .else"),
        (".if 1\n.if 1\n.endif\na", 5, "the .if of line 2 has no .endif"),
        (".iff 1", 2, "unknown directive '.iff'"),
        (".if 1\n.fi\n.endif", 3, "unknown directive '.fi'"),
        ('.if 0\n"a\n.endif', 3, "is not closed"),
    ],
)
def test_blocks_that_are_not_closed_or_not_opened_are_refused(text: str, line: int, what: str, haproxy_binary: str) -> None:
    assert check(haproxy_binary, f"global\n{text}\n".encode())
    with pytest.raises(ConfigError, match=what) as error:
        said(text)
    assert error.value.line == line
