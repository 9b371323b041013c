"""Recovery killed at every one of its effects: it can be called again until it succeeds."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.support import KILLED, Place, Point, everywhere, place, strike, survey
from tests.chaos.test_switch import after_kill, settled

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


def course(made: Place, points: list[Point], first: Point) -> Course:
    shutil.rmtree(made.state)
    target = "2" if made.in_file() == "1" else "1"
    assert strike(made, first.number, "before", "switch", "app_backend", made.address(target)).code == KILLED
    return Course(first, survey(made, "recover"))


@pytest.fixture(scope="module")
def courses(tmp_path_factory: pytest.TempPathFactory, nginx_binary: str) -> dict[str, Course]:
    """A switch that was killed once nginx was told, and one that was killed once it was proven."""
    with place(tmp_path_factory.mktemp("survey") / "0") as made:
        points = survey(made, "switch", "app_backend", made.address("2"))
        told = next(i for i, point in enumerate(points) if point.kind.startswith("pidfd_send_signal"))
        proven = next(point for point in points if point.kind == "open history")
        return {"told": course(made, points, points[told + 1]), "proven": course(made, points, proven)}


def crash_twice(made: Place, crash: Crash) -> None:
    shutil.rmtree(made.state, ignore_errors=True)
    old, was = made.pools.read_bytes(), made.in_file()
    target = "2" if was == "1" else "1"
    new = old.replace(f"server {made.address(was)};".encode(), f"server {made.address(target)};".encode(), 1)
    result = strike(made, crash.first, "before", "switch", "app_backend", made.address(target))
    assert result.code == KILLED, result
    result = strike(made, crash.point.number, crash.mode, "recover")
    assert result.code == KILLED, result
    after_kill(made, old, new)
    result = made.run("recover")
    assert result.code == 0, result
    settled(made)
    again = made.run("switch", "app_backend", made.address(target))
    assert again.code == 0, again
    assert settled(made) == target


def sweep(crashes: list[Crash], folder: Path) -> None:
    everywhere(crashes, lambda number: place(folder / str(number)), crash_twice)


def test_a_recovery_that_takes_back_killed(courses: dict[str, Course], tmp_path: Path) -> None:
    sweep(courses["told"].crashes("before")[::2], tmp_path)


def test_a_recovery_that_finishes_killed(courses: dict[str, Course], tmp_path: Path) -> None:
    sweep(courses["proven"].crashes("before")[::3], tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["told", "proven"])
@pytest.mark.parametrize("mode", ["before", "after"])
def test_every_effect_of_a_recovery(courses: dict[str, Course], tmp_path: Path, kind: str, mode: str) -> None:
    sweep(courses[kind].crashes(mode), tmp_path)
