"""A full disk at every write of a switch on HAProxy: everything is as before, and it says so; or all of it is done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.haproxy_places import HaPlace, Kind, haproxy_place, other, settled
from tests.chaos.support import Point, everywhere, history, journals, one_of_each, strays, strike
from tests.chaos.test_deploy import Asking
from tests.chaos.test_disk_full import NEEDS_SPACE
from tests.chaos.test_haproxy_switch import KINDS, after_kill, points_of

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy


@dataclass(frozen=True)
class Full:
    """The disk is full at that point (`full`), or from there on (`full-on`)."""

    point: Point
    mode: str


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory, haproxy_binary: str) -> dict[str, list[Point]]:
    """Every point of a switch that needs space."""
    names = ("state file", "reload")
    found = {name: points_of(tmp_path_factory.mktemp("survey") / "0", KINDS[name]) for name in names}
    return {name: [p for p in found[name] if NEEDS_SPACE.match(p.kind)] for name in names}


def fill(made: HaPlace, full: Full) -> None:
    made.fresh()
    if made.kind.state_file:
        made.save_state()
    was = made.only()
    target, before = other(was), made.files()
    with Asking(made) as client:
        result = strike(made, full.point.number, full.mode, *made.switch(target))
        assert "Traceback" not in result.err, result
        after_kill(made)
    if full.mode == "full":
        once(made, result.code, result.err)
        if result.code:
            assert made.files() == before
    else:
        assert result.code in (0, 3, 4), result
        recovered = made.run("recover")
        assert recovered.code == 0, (result, recovered)
    assert not client.problems, f"{len(client.problems)} of {client.asked}: {client.problems[0]}"
    made.silent = full.mode == "full-on" and result.code != 0
    live = settled(made)
    # proven, but neither to be written down nor taken back while the disk was full: then it is finished
    assert live in ({was, target} if result.code == 4 else {was if result.code else target})
    assert [e.kind for e in history(made)] == (["switch"] if live == target else [])


def once(made: HaPlace, code: int, said: str) -> None:
    """The disk was full for a moment: all is as before, and nothing is left to recover."""
    assert code in (0, 3), (code, said)
    if code == 3:
        assert "No space left" in said
        assert "everything is as before" in said
    assert journals(made) == []
    assert strays(made.folder) == []


def sweep(fulls: list[Full], kind: Kind, folder: Path) -> None:
    everywhere(fulls, lambda number: haproxy_place(folder / str(number), kind), fill)


def test_full_at_each_kind_of_write(points: dict[str, list[Point]], tmp_path: Path) -> None:
    sweep([Full(point, "full") for point in one_of_each(points["state file"])[::2]], KINDS["state file"], tmp_path)


@pytest.mark.parametrize("name", ["state file", "reload"])
def test_full_from_a_write_on(points: dict[str, list[Point]], tmp_path: Path, name: str) -> None:
    chosen = [p for p in points[name] if p.kind.startswith(("replace ", "write "))]
    sweep([Full(point, "full-on") for point in chosen[1::4]], KINDS[name], tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["full", "full-on"])
@pytest.mark.parametrize("name", ["state file", "reload"])
def test_full_at_every_write(points: dict[str, list[Point]], tmp_path: Path, name: str, mode: str) -> None:
    sweep([Full(point, mode) for point in points[name]], KINDS[name], tmp_path)
