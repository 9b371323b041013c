"""The head of a file tells who made it, and whether it was edited."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyswitch.generate import head, threeway


def test_the_command_and_the_mark() -> None:
    text = head.put("a\nb\n", "#", "proxyswitch generate x --name y")
    assert text.startswith("# proxyswitch generate x --name y\n# made by proxyswitch, text ")
    assert text.endswith("\na\nb\n")
    assert not head.edited(text)
    assert head.mark(text)


@pytest.mark.parametrize(
    "change", [lambda t: t + "c\n", lambda t: t.replace("\nb\n", "\nc\n"), lambda t: t[:-1], lambda t: t + "\n"]
)
def test_any_edit_below_is_seen(change: object) -> None:
    assert head.edited(change(head.put("a\nb\n", "#", "x")))  # type: ignore[operator]


def test_a_file_of_somebody_else_has_no_mark() -> None:
    assert not head.mark("a\nb\n")
    assert not head.edited("a\nb\n")
    assert not head.mark("")


def test_a_first_line_that_must_be_first_stays_so() -> None:
    text = head.put("#!/bin/sh\necho\n", "#", "x")
    assert text.startswith("#!/bin/sh\n# x\n")
    assert not head.edited(text)
    assert head.edited(text.replace("echo", "ls"))


def test_another_command_with_the_same_text_is_the_same() -> None:
    one, other = head.put("a\n", "#", "x"), head.put("a\n", "#", "y")
    assert head.same(one, other)
    assert not head.same(one + "b\n", other)
    assert not head.same("a\n", "a\n")


@given(st.text(max_size=50))
def test_what_was_put_is_never_edited(body: str) -> None:
    assert not head.edited(head.put(body, "//", "x"))


# three texts


def test_the_picture_shows_both_sides() -> None:
    shown = threeway.picture("a\nb\nc\nd\n", "a\nB\nc\nd\n", "a\nb\nc\nD\n", "/f")
    assert "what you edited since it was made:" in shown
    assert "-b\n+B\n" in shown
    assert "-d\n+D\n" in shown
    assert "the two touch different lines" in shown


def test_and_where_both_touch_the_same_lines() -> None:
    assert "as it was made: 2\n" in threeway.picture("a\nb\nc\n", "a\nB\nc\n", "a\nX\nc\n", "/f")
    assert "as it was made: 2-3\n" in threeway.picture("a\nb\nc\nd\n", "a\nB\nC\nd\n", "a\nb\nX\nd\n", "/f")
    assert "as it was made: 2\n" in threeway.picture(
        "a\nb\n", "a\nx\nb\n", "a\ny\nb\n", "/f"
    )  # both put something before it
    assert "different lines" in threeway.picture("a\nb\n", "a\nX\n", "a\nX\n", "/f")  # the same edit on both sides


def test_where_nothing_is_made_differently_only_the_edit_is_shown() -> None:
    shown = threeway.picture("a\n", "b\n", "a\n", "/f")
    assert "nothing is made differently now" in shown
    assert "touch" not in shown


def test_without_the_text_as_it_was_made_there_are_two() -> None:
    assert threeway.picture(None, "a\n", "b\n", "/f") == "--- /f\n+++ /f (made anew)\n@@ -1 +1 @@\n-a\n+b\n"


def test_a_last_line_without_an_end_is_said() -> None:
    assert "no newline at the end" in threeway.diff("a", "a\n", "x", "y")
