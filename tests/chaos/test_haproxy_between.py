"""Between the kill and the recovery somebody reloads HAProxy, restarts it, stops it, or edits the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.haproxy_places import POOL, HaPlace, Kind, haproxy_place, none_starts, other, settled
from tests.chaos.support import KILLED, Point, everywhere, history, journals, strike
from tests.chaos.test_deploy import Asking
from tests.chaos.test_haproxy_switch import KINDS, SEEN, after_kill, points_of
from tests.e2e.support import eventually

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy

EVENTS = ("reload", "restart", "stop", "edit")
EDIT = b"# by a person\n"


@dataclass(frozen=True)
class Crash:
    """A switch killed before a point, and what happens then."""

    point: Point
    event: str


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory, haproxy_binary: str) -> dict[str, list[Point]]:
    """Every point from where the journal is written."""
    found = {}
    for name in ("state file", "config", "reload"):
        points = points_of(tmp_path_factory.mktemp("survey") / "0", KINDS[name])
        begun = next(i for i, p in enumerate(points) if p.kind == "fsync journal")
        found[name] = points[begun:]
    return found


def happen(made: HaPlace, event: str) -> None:
    if event == "reload":
        assert made.has_master or eventually(lambda: none_starts(made)), "two of them at once"
        with Asking(made) as client:
            made.reload()
            after_kill(made)
        assert not client.problems, f"{len(client.problems)} of {client.asked}: {client.problems[0]}"
    elif event == "restart":
        made.restart()
        after_kill(made)
    elif event == "stop":
        made.end()
    elif event == "edit":
        made.conf.write_bytes(made.conf.read_bytes() + EDIT)


def crash(made: HaPlace, crash: Crash) -> None:
    made.fresh()
    if made.kind.state_file:
        made.save_state()
    was = made.only()
    target = other(was)
    result = strike(made, crash.point.number, "before", *made.switch(target))
    assert result.code == KILLED, result
    happen(made, crash.event)
    if crash.event == "edit":
        keep(made)
    else:
        result = made.run("recover")
        assert result.code == 0, result
    if crash.event == "stop":
        made.restart()
    made.silent = crash.event in ("stop", "edit")
    live = settled(made)
    if crash.event == "edit":  # nobody but the person can know what was done
        return
    assert [e.kind for e in history(made)] == (["switch"] if live == target else [])


def keep(made: HaPlace) -> None:
    """A person's edit is never overwritten, nor what it says: somebody must look."""
    edited, ran = made.conf.read_bytes(), made.lasting()
    proven = b'"kind":"proven"' in made.journals[0].read_bytes() if made.journals else True
    result = made.run("recover")
    assert made.conf.read_bytes() == edited
    assert made.lasting() == ran
    if not proven:
        assert result.code == 4, result
        assert "edited by somebody" in result.err
        assert journals(made)
        result = made.run("recover", "--keep")
    assert result.code == 0, result
    made.conf.write_bytes(edited.removesuffix(EDIT))
    result = made.run("reconcile", POOL, "--by", "file")
    assert result.code == 0, result


def sweep(crashes: list[Crash], kind: Kind, folder: Path) -> None:
    everywhere(crashes, lambda number: haproxy_place(folder / str(number), kind), crash)


def decisive(points: list[Point]) -> list[Point]:
    """What HAProxy, or who reads the files, can tell apart."""
    return [p for p in points if p.kind.startswith(SEEN)]


@pytest.mark.parametrize("event", EVENTS)
def test_between_kill_and_recovery(points: dict[str, list[Point]], tmp_path: Path, event: str) -> None:
    chosen = decisive(points["state file"])[::2]
    sweep([Crash(point, event) for point in chosen], KINDS["state file"], tmp_path)


@pytest.mark.parametrize("name", ["reload", "config"])
def test_between_kill_and_recovery_with_another_setup(points: dict[str, list[Point]], tmp_path: Path, name: str) -> None:
    sweep([Crash(p, EVENTS[i % 3]) for i, p in enumerate(decisive(points[name]))], KINDS[name], tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("name", ["state file", "config", "reload"])
def test_everything_between_kill_and_recovery(points: dict[str, list[Point]], tmp_path: Path, name: str, event: str) -> None:
    sweep([Crash(point, event) for point in points[name]], KINDS[name], tmp_path)
