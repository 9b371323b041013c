"""A watch as it is shown: as lines of a terminal, in one line, as data."""

from __future__ import annotations

from typing import Any

import pytest

from proxyswitch.cli import events
from proxyswitch.cli.screen import CLEAR, Area, bar
from proxyswitch.proxies.base import Tries
from proxyswitch.release.judging import Sides, View


def view(new: Tries, old: Tries | None = None, share: int = 20, left: float = 45.0, **more: Any) -> View:
    return View("web", "green", "blue" if old else "", share, Sides(new, old), 60.0, left, **more)


NEW, OLD = Tries(412, 37, 0.012), Tries(7830, 0, None)


def test_both_sides_have_their_share_and_their_failures() -> None:
    assert events.lines(view(NEW, OLD)) == [
        "web is watched [#####...............] 45 s left",
        "  green  [####................]  20 %  37 of 412 failed, 12 ms",
        "  blue   [################....]  80 %  0 of 7,830 failed",
    ]
    assert events.words(view(NEW, OLD)) == (
        "web green [####................] 20 %: green 37 of 412 failed, 12 ms, blue 0 of 7,830 failed; 45 s left"
    )


def test_a_side_without_traffic_is_not_shown() -> None:
    assert len(events.lines(view(NEW, OLD, share=100))) == 2
    assert len(events.lines(view(NEW))) == 2


def test_where_nothing_counts_no_figures_are_told() -> None:
    told = view(Tries(), share=100, counted=False)
    assert events.lines(told) == ["web is watched [#####...............] 45 s left"]
    assert "nothing is counted" in events.words(told)
    assert events.facts(told)["sides"] == {}


def test_what_is_waited_for_is_said() -> None:
    assert events.lines(view(NEW, OLD, waits="promote or abort"))[0].startswith("web waits for promote or abort [")
    assert events.facts(view(NEW, OLD, waits="requests"))["waits"] == "requests"


def test_time_that_is_over_is_none() -> None:
    assert events.lines(view(NEW, left=-3.0))[0] == "web is watched [####################] 0.0 s left"
    assert events.facts(view(NEW, left=-3.0))["left"] == 0.0


def test_lines_fit_80_columns() -> None:
    huge = Tries(10**6, 10**6, 59.0)
    assert all(len(line) < 80 for line in events.lines(view(huge, huge, waits="promote or abort", left=86400.0)))


@pytest.mark.parametrize(
    ("percent", "wanted"),
    [(0, "...."), (1, "#..."), (50, "##.."), (99, "###."), (100, "####"), (-5, "...."), (250, "####")],
)
def test_a_bar_is_full_for_all_and_empty_for_nothing_alone(percent: float, wanted: str) -> None:
    assert bar(percent, 4) == wanted


def test_lines_are_written_over_and_taken_away_once(capsys: pytest.CaptureFixture[str]) -> None:
    area = Area()
    area.clear()
    assert capsys.readouterr().err == ""
    area.show("one", "two", "three" + "x" * 300)
    shown = capsys.readouterr().err
    assert shown.startswith(f"{CLEAR}one\ntwo\nthree")
    assert shown.endswith("\r\033[2A")
    assert max(map(len, shown.splitlines())) < 100
    area.clear()
    area.clear()
    assert capsys.readouterr().err == CLEAR
