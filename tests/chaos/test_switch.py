"""`switch` on a real nginx, killed at every effect: what is left is valid, and the next command sets it right."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.support import (
    KILLED,
    Place,
    Point,
    everywhere,
    history,
    journals,
    place,
    strays,
    strike,
    survey,
)

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy

NEXT = ("recover", "same", "other")


@dataclass(frozen=True)
class Crash:
    """A kill, and what is called next."""

    point: Point
    mode: str
    following: str


def crashes(points: list[Point], mode: str) -> list[Crash]:
    """Each point with each of the following commands in turn."""
    return [Crash(point, mode, NEXT[i % len(NEXT)]) for i, point in enumerate(points)]


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory, nginx_binary: str) -> list[Point]:
    """Every point of a switch."""
    with place(tmp_path_factory.mktemp("survey") / "0") as made:
        return survey(made, "switch", "app_backend", made.address("2"))


def after_kill(made: Place, old: bytes, new: bytes) -> None:
    """What must hold at every instant."""
    assert made.pools.read_bytes() in (old, new), "a half-written file"
    assert made.nginx_accepts()
    assert made.version() in ("1", "2")


def settled(made: Place) -> str:
    """Nothing is left of the crash; file, nginx and history agree. Returns the version that serves."""
    assert journals(made) == []
    assert strays(made.folder) == []
    assert made.nginx_accepts()
    version = made.in_file()
    assert {made.version() for _ in range(4)} == {version}
    switched = [e for e in history(made) if e.pool == "app_backend"]
    assert [e.after[0].address for e in switched[-1:]] in ([], [made.address(version)])
    return version


def next_command(made: Place, following: str, target: str) -> None:
    words = {
        "recover": ("recover",),
        "same": ("switch", "app_backend", made.address(target)),
        "other": ("switch", "other_backend", made.address("1" if made.other_in_file() == "3" else "3")),
    }[following]
    result = made.run(*words)
    assert result.code == 0, result


def crash_and_recover(made: Place, crash: Crash) -> None:
    """Kill a switch there, look, call the next command, look again, and switch after all."""
    shutil.rmtree(made.state, ignore_errors=True)
    old, was = made.pools.read_bytes(), made.in_file()
    target = "2" if was == "1" else "1"
    new = old.replace(f"server {made.address(was)};".encode(), f"server {made.address(target)};".encode(), 1)
    result = strike(made, crash.point.number, crash.mode, "switch", "app_backend", made.address(target))
    assert result.code == KILLED, result
    after_kill(made, old, new)
    next_command(made, crash.following, target)
    version = settled(made)
    entries = [e for e in history(made) if e.pool == "app_backend"]
    assert len(entries) == (version == target)
    if crash.following == "same":
        assert version == target
    again = made.run("switch", "app_backend", made.address(target))
    assert again.code == 0, again
    assert settled(made) == target
    assert len([e for e in history(made) if e.pool == "app_backend"]) == 1


def sweep(crashes: list[Crash], folder: Path) -> None:
    def make(number: int) -> AbstractContextManager[Place]:
        return place(folder / str(number))

    everywhere(crashes, make, crash_and_recover)


def test_killed_before_every_effect(points: list[Point], tmp_path: Path) -> None:
    sweep(crashes(points, "before"), tmp_path)


def test_killed_after_every_effect(points: list[Point], tmp_path: Path) -> None:
    sweep(crashes(points, "after"), tmp_path)


def test_killed_in_the_middle_of_every_write(points: list[Point], tmp_path: Path) -> None:
    sweep(crashes([p for p in points if p.kind.startswith("write ")], "partial"), tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("following", NEXT)
@pytest.mark.parametrize("mode", ["before", "after"])
def test_every_effect_with_every_next_command(points: list[Point], tmp_path: Path, mode: str, following: str) -> None:
    sweep([Crash(point, mode, following) for point in points], tmp_path)
