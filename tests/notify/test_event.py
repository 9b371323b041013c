"""What is said of an event."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from proxyswitch.notify import Event, Kind, words
from proxyswitch.notify import event as events
from proxyswitch.settings_notify import KINDS

WHERE = {"slot": "green", "old_version": "2.0", "old_slot": "blue"}
WHY = "green answered 37 of 412 with 5xx"


def event(kind: str, **more: Any) -> Event:
    return Event(kind=kind, app="web", **{"version": "2.1", **more})


@pytest.mark.parametrize(
    ("kind", "more", "text"),
    [
        (Kind.STARTED, WHERE, "web 2.1: the release begins in green (2.0 in blue is live)"),
        (Kind.STARTED, {}, "web 2.1: the release begins"),
        (Kind.SWITCHED, WHERE, "web 2.1 has the traffic in green (was 2.0 in blue)"),
        (Kind.DONE, {**WHERE, "seconds": 34.2}, "web 2.1 is live in green (was 2.0 in blue), 34 s"),
        (Kind.DONE, {"slot": "green", "seconds": 0.4}, "web 2.1 is live in green, 0.4 s"),
        (Kind.DONE, {"slot": "main", "old_slot": "main", "old_version": "2.0"}, "web 2.1 is live in main (was 2.0)"),
        (Kind.DONE, {"slot": "green", "old_slot": "blue"}, "web 2.1 is live in green (was blue)"),
        (Kind.FAILED, {**WHERE, "reason": WHY}, f"web 2.1 failed: {WHY}"),
        (Kind.FAILED, {}, "web 2.1 failed"),
        (Kind.ROLLED_BACK, {**WHERE, "reason": WHY}, f"web 2.1 failed and was taken back: {WHY}"),
        (Kind.ROLLED_BACK, {**WHERE, "seconds": 125}, "web 2.1 is live again in green (was 2.0 in blue), 2 min 5 s"),
        (
            Kind.DRAIN_OVERDUE,
            {**WHERE, "reason": "2 connections"},
            "web 2.1 is live in green, but 2.0 in blue has not drained: 2 connections",
        ),
        (Kind.DRAIN_OVERDUE, {}, "web 2.1 is live, but the old side has not drained"),
    ],
)
def test_words(kind: str, more: dict[str, Any], text: str) -> None:
    assert words(event(kind, **more)) == text


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_words_of_its_own(kind: str) -> None:
    assert sum(words(event(kind)) == words(event(other)) for other in KINDS) == 1


def test_words_are_one_short_line() -> None:
    said = words(event(Kind.FAILED, reason="the hook\n  | \x1b[31mred\r\n  | \udcff\0 end " + "x" * 5000))
    assert said.startswith("web 2.1 failed: the hook | [31mred | ? end xxx")
    assert said.isprintable()
    assert said.endswith("…")
    assert len(said) < 400


def test_an_object_and_variables() -> None:
    told = event(Kind.DONE, **WHERE, pool="app", release="1-2", seconds=3.0, reason="\udcff\0", host="web1", at=5.0)
    assert events.facts(told) == {
        "text": "web 2.1 is live in green (was 2.0 in blue), 3.0 s",
        "event": "done",
        "app": "web",
        "version": "2.1",
        "slot": "green",
        "old_version": "2.0",
        "old_slot": "blue",
        "pool": "app",
        "reason": "?",
        "seconds": 3.0,
        "release": "1-2",
        "host": "web1",
        "at": 5.0,
    }
    assert json.dumps(events.facts(told))
    variables = events.environment(told)
    assert (variables["PROXYSWITCH_EVENT"], variables["PROXYSWITCH_OLD_SLOT"]) == ("done", "blue")
    assert {key.removeprefix("PROXYSWITCH_").lower() for key in variables} == events.facts(told).keys()
    assert events.title(told) == "web: done (web1)"
    assert events.title(event("rolled_back", host="a\r\nb")) == "web: rolled back (a b)"


def test_here_and_now() -> None:
    assert event(Kind.DONE).host == os.uname().nodename
    assert event(Kind.DONE).at > 1e9
