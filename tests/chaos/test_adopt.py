"""`adopt` and its undo, killed at every effect: the config is the old or the new one, serves, and can be set right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.support import KILLED, Point, everywhere, journals, one_of_each, strays, strike, survey
from tests.e2e.instant_support import InstantBench

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Crash:
    """A kill on the way there, or back, and what is called next."""

    undo: bool
    point: Point
    mode: str
    following: str


@contextmanager
def place(folder: Path) -> Iterator[InstantBench]:
    folder.mkdir()
    made = InstantBench(folder)
    try:
        made.blue, made.green = made.instance("1"), made.instance("2")
        made.write(made.blue)
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def words(made: InstantBench, *, undo: bool) -> tuple[str, ...]:
    blue, green = made.addresses
    slots = ("--undo",) if undo else ("--blue", blue, "--green", green)
    return ("adopt", "app_backend", *slots, "--yes")


def config(made: InstantBench) -> dict[str, bytes]:
    return {name: data for name, data in made.files().items() if name.endswith(".conf") and not name.startswith(".")}


def crash_and_recover(made: InstantBench, crash: Crash) -> None:
    """From the form before: kill it there, look, call what follows, look again, and do it after all."""
    assert made.run(*words(made, undo=not crash.undo)).code == 0
    before = config(made)
    result = strike(made, crash.point.number, crash.mode, *words(made, undo=crash.undo))
    assert result.code in ({KILLED} if crash.mode in ("before", "after") else {0, 3, 143, KILLED}), result
    assert made.nginx_accepts()
    assert made.version() == "1"
    following = made.run("recover") if crash.following == "recover" else made.run(*words(made, undo=crash.undo))
    assert following.code == 0, following
    assert journals(made) == []
    assert [s for s in strays(made.folder) if "/flags/" not in s and "/adopted/" not in s] == []
    middle = config(made)
    assert made.run(*words(made, undo=crash.undo)).code == 0
    after = config(made)
    assert crash.undo or strays(made.folder) == []
    assert middle in (before, after)
    assert before != after
    assert made.version() == "1"


def jobs(made: InstantBench, modes: tuple[str, ...]) -> Iterator[Crash]:
    for undo in (False, True):
        if undo:
            assert made.run(*words(made, undo=False)).code == 0
        else:  # what is made once is there
            assert made.run(*words(made, undo=False)).code == made.run(*words(made, undo=True)).code == 0
        points = survey(made, *words(made, undo=undo))
        for mode in modes:
            for number, point in enumerate(points if mode == "before" else one_of_each(points)):
                yield Crash(undo, point, mode, ("recover", "same")[number % 2])
        if not undo:
            assert made.run(*words(made, undo=True)).code == 0


def run(tmp_path: Path, modes: tuple[str, ...], every: int = 1) -> None:
    with place(tmp_path / "survey") as made:
        todo = list(jobs(made, modes))[::every]
    everywhere(todo, lambda number: place(tmp_path / str(number)), crash_and_recover)


@pytest.mark.chaos
def test_killed_everywhere(tmp_path: Path, nginx_binary: str) -> None:
    run(tmp_path, ("before", "after", "partial"))


@pytest.mark.chaos
def test_a_signal_or_a_full_disk(tmp_path: Path, nginx_binary: str) -> None:
    run(tmp_path, ("term", "full"))


def test_killed_here_and_there(tmp_path: Path, nginx_binary: str) -> None:
    """In every run of the tests; the others are longer."""
    run(tmp_path, ("after",), every=4)
