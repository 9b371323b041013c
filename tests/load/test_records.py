"""What is counted, under which column, and how long it took in which window."""

from __future__ import annotations

import pytest

from proxyswitch.demo.load import Outcome
from proxyswitch.system.clock import now
from tests.load.records import GROUPS, Answered, Records, Window


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("http 502", "5xx"),
        ("refused", "reset/closed"),
        ("reset", "reset/closed"),
        ("closed", "reset/closed"),
        ("error", "reset/closed"),
        ("timeout", "reset/closed"),
        ("rst stream", "reset/closed"),
        ("cut", "cut"),
        ("websocket cut", "websocket cut"),
    ],
)
def test_each_failure_has_one_column(kind: str, column: str) -> None:
    records = Records()
    records.add("http busy", Outcome(kind, "1", "what happened"), now(), quick=True)
    assert records.failures == {**dict.fromkeys(GROUPS, 0), column: 1}
    assert records.reused_closed == 0
    assert "http busy, 0.00 s after the start: what happened" in records.errors


@pytest.mark.parametrize("kind", ["reused", "goaway"])
def test_what_a_browser_sends_again_is_counted_apart(kind: str) -> None:
    records = Records()
    records.add("h2 idle", Outcome(kind), now(), quick=True)
    assert sum(records.failures.values()) == 0
    assert (records.requests, records.reused_closed, records.errors) == (1, 1, [])


def test_counts_by_name_kind_and_version() -> None:
    records = Records()
    for version in ("1", "1", "2"):
        records.add("http busy", Outcome("ok", version), now(), quick=True)
    records.add("http long", Outcome("cut", "1"), now(), quick=False)
    assert records.counts == {
        Answered("http busy", "ok", "1"): 2,
        Answered("http busy", "ok", "2"): 1,
        Answered("http long", "cut", "1"): 1,
    }
    assert records.kinds("http busy") == {"ok": 3}
    assert records.kinds() == {"ok": 3, "cut": 1}


def test_first_and_last_answer_of_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    records, clock = Records(), iter((1.0, 2.0, 3.0, 4.0))
    monkeypatch.setattr("tests.load.records.now", lambda: next(clock))
    records.add("x", Outcome("ok", "1"), 0.0, quick=False)
    records.heard("1")
    records.add("x", Outcome("ok", "2"), 0.0, quick=False)
    records.add("x", Outcome("cut", "1"), 0.0, quick=False)
    assert (records.first("1"), records.last("1"), records.first("2"), records.last("2")) == (1.0, 2.0, 3.0, 3.0)
    assert (records.first("3"), records.last("3")) == (None, None)


def test_percentiles_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    records = Records()
    for begun in range(200):
        took = 0.5 if begun in (7, 150, 151) else 0.1
        monkeypatch.setattr("tests.load.records.now", lambda at=begun + took: at)
        records.add("x", Outcome("ok", "1"), float(begun), quick=True)
        records.add("long", Outcome("ok", "1"), float(begun) - 8, quick=False)
    assert records.percentile(0.99, [Window(0, 100)]) == pytest.approx(0.1)
    assert records.percentile(1.0, [Window(0, 100)]) == pytest.approx(0.5)
    assert records.percentile(0.99, [Window(0, 50), Window(100, 200)]) == pytest.approx(0.5)
    assert records.percentile(0.99, [Window(300, 400)]) is None
