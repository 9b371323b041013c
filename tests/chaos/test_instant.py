"""Commands on a pool in instant mode, killed at every effect: the flag is old or new, the next command sets all right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxyswitch.proxies import nginx_flags
from tests.chaos.support import KILLED, Point, everywhere, history, journals, one_of_each, strays, strike, survey
from tests.e2e.instant_support import InstantBench

pytestmark = pytest.mark.timeout(600)

COMMANDS = {
    "switch": (("switch", "app_backend", "green"), ("switch", "app_backend", "blue")),
    "canary": (("canary", "app_backend", "7%"), ("canary", "app_backend", "0%")),
    "gate": (("maintenance", "app_backend", "on", "--allow", "127.0.0.1"), ("maintenance", "app_backend", "off")),
}


@dataclass(frozen=True)
class Crash:
    """A kill of one of the commands, and what is called next: `recover`, or the same command."""

    words: tuple[str, ...]
    point: Point
    mode: str
    following: str


@contextmanager
def place(folder: Path) -> Iterator[InstantBench]:
    folder.mkdir()
    made = InstantBench(folder)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PROXYSWITCH_STATE", str(made.state))  # for the flag that the bench itself makes
            made.set_up()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def links(made: InstantBench) -> tuple[str, str]:
    return made.flag, nginx_flags.link(str(made.flags), "gate")


def crash_and_recover(made: InstantBench, crash: Crash) -> None:
    """From the state before: kill it there, look, call what follows, look again."""
    forth, back = crash.words, next(b for f, b in COMMANDS.values() if f == crash.words)
    assert made.run(*back).code == 0
    before = links(made)
    result = strike(made, crash.point.number, crash.mode, *forth)
    assert result.code in (
        {KILLED} if crash.mode in ("before", "after") else {0, KILLED} if crash.mode == "partial" else {0, 3, 143, KILLED}
    ), result
    middle = links(made)
    assert made.version() in ("1", "2")
    following = made.run("recover") if crash.following == "recover" else made.run(*forth)
    assert following.code == 0, following
    assert journals(made) == []
    assert [s for s in strays(made.folder) if "retry-" not in s] == []
    now = links(made)
    if crash.following == "recover":
        assert now in (before, middle)
        assert history(made) or now == before
    assert made.run(*forth).code == 0
    again = made.run(*forth)
    assert (again.code, again.out) == (0, "")
    assert links(made) != before


def jobs(made: InstantBench, words: tuple[str, ...], modes: tuple[str, ...]) -> Iterator[Crash]:
    back = next(b for f, b in COMMANDS.values() if f == words)
    assert made.run(*words).code == made.run(*back).code == 0  # the folders that are made once are there
    points = survey(made, *words)
    for mode in modes:
        for number, point in enumerate(points if mode == "before" else one_of_each(points)):
            yield Crash(words, point, mode, ("recover", "same")[number % 2])


def run(tmp_path: Path, name: str, modes: tuple[str, ...]) -> None:
    with place(tmp_path / "survey") as made:
        todo = list(jobs(made, COMMANDS[name][0], modes))
    everywhere(todo, lambda number: place(tmp_path / str(number)), crash_and_recover)


@pytest.mark.chaos
@pytest.mark.parametrize("name", list(COMMANDS))
def test_killed_everywhere(tmp_path: Path, nginx_binary: str, name: str) -> None:
    run(tmp_path, name, ("before", "after", "partial"))


@pytest.mark.chaos
@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_signal_or_a_full_disk(tmp_path: Path, nginx_binary: str, name: str) -> None:
    run(tmp_path, name, ("term", "full"))


def test_killed_at_one_point_of_each_kind(tmp_path: Path, nginx_binary: str) -> None:
    """In every run of the tests; the others are longer."""
    with place(tmp_path / "survey") as made:
        words = COMMANDS["switch"][0]
        todo = [Crash(words, p, "before", "recover") for p in one_of_each(survey(made, *words))]
    everywhere(todo, lambda number: place(tmp_path / str(number)), crash_and_recover)
