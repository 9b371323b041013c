"""How a plan went: each step when it began and how long it took; from the run itself, or from the journal of one killed."""

from __future__ import annotations

import pytest

from proxyswitch.release import timings
from proxyswitch.release.timings import Timed, Timings
from proxyswitch.system import clock


class Watch:
    """A clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = 100.0
        monkeypatch.setattr(clock, "now", lambda: self.time)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


def test_steps_are_measured_from_the_begin(watch: Watch) -> None:
    measured = Timings()
    with measured.of("first"):
        watch.time += 1.5
    watch.time += 0.5
    with measured.of("second"):
        watch.time += 0.25
    assert measured.steps == [Timed("first", 0.0, 1.5), Timed("second", 2.0, 0.25)]


def test_a_step_that_raises_is_measured_and_has_failed(watch: Watch) -> None:
    measured = Timings()

    def fail() -> None:
        with measured.of("first"):
            watch.time += 2
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert measured.steps == [Timed("first", 0.0, 2.0, failed=True)]


def record(at: float, number: int, state: str) -> dict[str, object]:
    return {"kind": "step", "at": at, "number": number, "state": state}


BEGIN: dict[str, object] = {"kind": "begin", "at": 10.0}


def test_a_journal_tells_the_same() -> None:
    records = [BEGIN, record(10, 0, "begin"), record(12, 0, "done"), record(12.5, 1, "begin"), {"kind": "x", "at": 14.0}]
    assert timings.read(records, ["first", "second", "third"]) == [
        Timed("first", 0.0, 2.0),
        Timed("second", 2.5, 1.5, failed=True),
    ]


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    records = [BEGIN, record(10, 0, "begin"), record(5, 0, "done"), record(5, 1, "begin"), record(6, 1, "done")]
    assert timings.read(records, ["first", "second"]) == [Timed("first", 0.0, 0.0), Timed("second", 0.0, 1.0)]


@pytest.mark.parametrize("records", [[], [BEGIN]])
def test_nothing_had_begun(records: list[dict[str, object]]) -> None:
    assert timings.read(records, ["first"]) == []
