"""A switch that fails after it was applied, killed while it is taken back."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.support import KILLED, Place, Point, everywhere, history, place, strike, survey
from tests.chaos.test_switch import after_kill, settled

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy

LISTEN = "server {{ listen 127.0.0.1:{port}; }}\n"


@dataclass(frozen=True)
class Crash:
    """A kill in the undo."""

    point: Point
    mode: str


def undoing(points: list[Point]) -> list[Point]:
    """The points behind the first reload."""
    told = next(i for i, point in enumerate(points) if point.kind.startswith("pidfd_send_signal"))
    return points[told + 1 :]


def target_of(made: Place) -> str:
    return "2" if made.in_file() == "1" else "1"


def texts(made: Place, target: str) -> tuple[bytes, bytes]:
    old = made.pools.read_bytes()
    mine, other = (f"server {made.address(version)};".encode() for version in (made.in_file(), target))
    return old, old.replace(mine, other, 1)


def switch_after_all(made: Place, target: str) -> None:
    again = made.run("switch", "app_backend", made.address(target))
    assert again.code == 0, again
    assert settled(made) == target
    assert len(history(made)) == 1


# the history cannot be written, once all is proven


def spoil(made: Place) -> Path:
    """A folder where the history should be written."""
    shutil.rmtree(made.state, ignore_errors=True)
    path = made.state / "history.jsonl"
    path.mkdir(parents=True)
    return path


@pytest.fixture(scope="module")
def unwritten(tmp_path_factory: pytest.TempPathFactory, nginx_binary: str) -> list[Point]:
    with place(tmp_path_factory.mktemp("survey") / "0") as made:
        spoil(made)
        return undoing(survey(made, "switch", "app_backend", made.address("2"), code=3))


def crash_unwritten(made: Place, crash: Crash) -> None:
    spoiled = spoil(made)
    target = target_of(made)
    old, new = texts(made, target)
    result = strike(made, crash.point.number, crash.mode, "switch", "app_backend", made.address(target))
    assert result.code == KILLED, result
    after_kill(made, old, new)
    spoiled.rmdir()
    result = made.run("recover")
    assert result.code == 0, result
    version = settled(made)
    assert len(history(made)) == (version == target)
    switch_after_all(made, target)


def test_killed_while_a_proven_switch_is_taken_back(unwritten: list[Point], tmp_path: Path) -> None:
    crashes = [Crash(point, "before") for point in unwritten[::2]]
    everywhere(crashes, lambda number: place(tmp_path / str(number)), crash_unwritten)


# nginx does not take the reload: somebody else listens on a port of the config


@contextmanager
def lying(folder: Path) -> Iterator[Place]:
    """A place whose nginx cannot take a reload, because a port that was added to the config is not free."""
    with socket.socket() as taken, place(folder) as made:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (made.folder / "proxyswitch.toml").write_text('[nginx]\nreload_timeout = "1s"\n')
        (made.folder / "conf.d" / "listen.conf").write_text(LISTEN.format(port=taken.getsockname()[1]))
        yield made


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory, nginx_binary: str) -> list[Point]:
    with lying(tmp_path_factory.mktemp("survey") / "0") as made:
        return undoing(survey(made, "switch", "app_backend", made.address("2"), code=3))


def crash_refused(made: Place, crash: Crash) -> None:
    shutil.rmtree(made.state, ignore_errors=True)
    was, target = made.in_file(), target_of(made)
    old, new = texts(made, target)
    result = strike(made, crash.point.number, crash.mode, "switch", "app_backend", made.address(target))
    assert result.code == KILLED, result
    after_kill(made, old, new)
    assert made.version() == was
    result = made.run("recover")
    assert result.code == 0, result
    assert made.pools.read_bytes() == old
    assert settled(made) == was


def sweep(crashes: list[Crash], folder: Path) -> None:
    everywhere(crashes, lambda number: lying(folder / str(number)), crash_refused, hands=6)


def test_killed_while_a_refused_reload_is_taken_back(refused: list[Point], tmp_path: Path) -> None:
    sweep([Crash(point, "before") for point in refused[::4]], tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["before", "after"])
def test_every_effect_of_taking_back(refused: list[Point], tmp_path: Path, mode: str) -> None:
    sweep([Crash(point, mode) for point in refused], tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_every_effect_of_taking_back_what_was_proven(unwritten: list[Point], tmp_path: Path) -> None:
    crashes = [Crash(point, mode) for point in unwritten for mode in ("before", "after")]
    everywhere(crashes, lambda number: place(tmp_path / str(number)), crash_unwritten)
