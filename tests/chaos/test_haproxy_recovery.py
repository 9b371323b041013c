"""Recovery killed at its effects: somebody answers meanwhile, and it can be called again until it succeeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.haproxy_places import HaPlace, Kind, assert_struck, haproxy_place, other, settled
from tests.chaos.support import KILLED, Point, everywhere, history, strike, survey
from tests.chaos.test_deploy import Asking
from tests.chaos.test_haproxy_switch import KINDS, after_kill

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy


@dataclass(frozen=True)
class Crash:
    """A switch killed before its point number `first`, then its recovery killed at `point`."""

    first: int
    point: Point
    mode: str


@dataclass(frozen=True)
class Course:
    """Where a switch was killed, and every point of the recovery from that."""

    first: Point
    recovery: list[Point]

    def crashes(self, mode: str) -> list[Crash]:
        return [Crash(self.first.number, point, mode) for point in self.recovery]


def course(made: HaPlace, first: Point) -> Course:
    made.fresh()
    assert strike(made, first.number, "before", *made.switch(other(made.only()))).code == KILLED
    return Course(first, survey(made, "recover"))


@pytest.fixture(scope="module")
def courses(tmp_path_factory: pytest.TempPathFactory, haproxy_binary: str) -> dict[tuple[str, str], Course]:
    """A switch that was killed once HAProxy was told, and one that was killed once it was proven."""
    found = {}
    for name in ("state file", "reload", "socket"):
        with haproxy_place(tmp_path_factory.mktemp("survey") / "0", KINDS[name]) as made:
            points = survey(made, *made.switch("app-green"))
            told = next(i for i, point in enumerate(points) if point.kind.startswith("send "))
            proven = next(point for point in points if point.kind == "open history")
            found[name, "told"] = course(made, points[told + 1])
            found[name, "proven"] = course(made, proven)
    return found


def crash_twice(made: HaPlace, crash: Crash) -> None:
    made.fresh()
    was = made.only()
    target = other(was)
    with Asking(made) as client:
        result = strike(made, crash.first, "before", *made.switch(target))
        assert result.code == KILLED, result
        assert_struck(made, strike(made, crash.point.number, crash.mode, "recover"))
        after_kill(made)
        result = made.run("recover")
        assert result.code == 0, result
    assert not client.problems, f"{len(client.problems)} of {client.asked}: {client.problems[0]}"
    live = settled(made)
    assert [e.kind for e in history(made)] == (["switch"] if live == target else [])


def sweep(crashes: list[Crash], kind: Kind, folder: Path) -> None:
    everywhere(crashes, lambda number: haproxy_place(folder / str(number), kind), crash_twice)


@pytest.mark.parametrize("name", ["state file", "reload", "socket"])
def test_a_recovery_that_takes_back_killed(courses: dict[tuple[str, str], Course], tmp_path: Path, name: str) -> None:
    crashes = courses[name, "told"].crashes("before")
    decisive = ("send ", "replace config", "replace state", "unlink journal")
    sweep([c for c in crashes if c.point.kind.startswith(decisive)][-4:], KINDS[name], tmp_path)


def test_a_recovery_that_finishes_killed(courses: dict[tuple[str, str], Course], tmp_path: Path) -> None:
    crashes = courses["state file", "proven"].crashes("before")
    sweep([c for c in crashes if c.point.kind.endswith(("history", " journal"))][::2], KINDS["state file"], tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("moment", ["told", "proven"])
@pytest.mark.parametrize("mode", ["before", "after"])
@pytest.mark.parametrize("name", ["state file", "reload", "socket"])
def test_every_effect_of_a_recovery(
    courses: dict[tuple[str, str], Course], tmp_path: Path, name: str, mode: str, moment: str
) -> None:
    sweep(courses[name, moment].crashes(mode), KINDS[name], tmp_path)
