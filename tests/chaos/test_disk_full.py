"""A full disk at every write: it fails in words, and everything is as before; or the write was not needed."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.support import Place, Point, everywhere, history, journals, one_of_each, place, strays, strike, survey
from tests.chaos.test_switch import after_kill, settled

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy

NEEDS_SPACE = re.compile(r"(open|write|fsync|mkdir|replace|setxattr) (?!memory)")


@dataclass(frozen=True)
class Full:
    """The disk is full at that point (`full`), or from there on (`full-on`)."""

    point: Point
    mode: str


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory, nginx_binary: str) -> list[Point]:
    """Every point of a switch that needs space."""
    with place(tmp_path_factory.mktemp("survey") / "0") as made:
        return [p for p in survey(made, "switch", "app_backend", made.address("2")) if NEEDS_SPACE.match(p.kind)]


def fill(made: Place, full: Full) -> None:
    shutil.rmtree(made.state, ignore_errors=True)
    old, was = made.pools.read_bytes(), made.in_file()
    target = "2" if was == "1" else "1"
    new = old.replace(f"server {made.address(was)};".encode(), f"server {made.address(target)};".encode(), 1)
    result = strike(made, full.point.number, full.mode, "switch", "app_backend", made.address(target))
    assert "Traceback" not in result.err, result
    after_kill(made, old, new)
    if full.mode == "full":
        once(made, result.code, result.err, old)
    else:
        assert result.code in (0, 3, 4), result
        recovered = made.run("recover")
        assert recovered.code == 0, (result, recovered)
    version = settled(made)
    again = made.run("switch", "app_backend", made.address(target))
    assert again.code == 0, again
    assert settled(made) == target
    assert len(history(made)) == 1, (result.code, version)


def once(made: Place, code: int, said: str, old: bytes) -> None:
    """The disk was full for a moment: all is as before, and nothing is left to recover."""
    assert code in (0, 3), (code, said)
    if code == 3:
        assert made.pools.read_bytes() == old
        assert "No space left" in said
        assert "everything is as before" in said
    assert journals(made) == []
    assert strays(made.folder) == []


def sweep(fulls: list[Full], folder: Path) -> None:
    everywhere(fulls, lambda number: place(folder / str(number)), fill)


def test_full_at_each_kind_of_write(points: list[Point], tmp_path: Path) -> None:
    sweep([Full(point, "full") for point in one_of_each(points)], tmp_path)


def test_full_from_a_write_on(points: list[Point], tmp_path: Path) -> None:
    sweep([Full(point, "full-on") for point in points[::4]], tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["full", "full-on"])
def test_full_at_every_write(points: list[Point], tmp_path: Path, mode: str) -> None:
    sweep([Full(point, mode) for point in points], tmp_path)
