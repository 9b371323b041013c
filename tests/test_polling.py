"""The deadline loop."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proxyswitch import polling
from proxyswitch.system import clock


class FakeTime:
    """A clock that only moves when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.pauses = 100.0, list[float]()
        monkeypatch.setattr(clock, "now", lambda: self.at)
        monkeypatch.setattr(polling, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0, "it must not spin"
        self.pauses.append(seconds)
        self.at += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    return FakeTime(monkeypatch)


def answers(*values: str | None) -> Callable[[], str | None]:
    rest = list(values)
    return lambda: rest.pop(0) if rest else None


def test_what_is_so_already_costs_no_time(time: FakeTime) -> None:
    assert polling.until(answers("yes"), 10) == "yes"
    assert time.pauses == []


def test_an_answer_that_is_false_is_an_answer(time: FakeTime) -> None:
    assert polling.until(lambda: 0, 10) == 0
    assert time.pauses == []


def test_no_time_is_one_look(time: FakeTime) -> None:
    assert polling.until(answers("yes"), 0) == "yes"
    assert polling.until(answers(None, "late"), 0) is None
    assert time.pauses == []


def test_it_looks_ever_less_often(time: FakeTime) -> None:
    assert polling.until(answers(*[None] * 9, "yes"), 100, first=0.1, longest=0.5) == "yes"
    assert time.pauses == sorted(time.pauses)
    assert time.pauses[0] == pytest.approx(0.1)
    assert time.pauses[-1] == pytest.approx(0.5)


def test_the_end_is_exact_and_has_a_last_look(time: FakeTime) -> None:
    seen: list[float] = []
    assert polling.until(lambda: seen.append(time.at), 1.2, longest=0.5) is None
    assert time.at == pytest.approx(101.2)
    assert seen[-1] == pytest.approx(101.2)


def test_what_happens_in_the_last_moment_is_seen(time: FakeTime) -> None:
    assert polling.until(lambda: "yes" if time.at >= 101.2 else None, 1.2) == "yes"


def test_an_error_in_the_look_passes() -> None:
    def look() -> str:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        polling.until(look, 10)


def test_silent_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    polling.silent("hello")
    assert capsys.readouterr() == ("", "")
