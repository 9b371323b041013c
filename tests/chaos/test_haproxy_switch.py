"""`switch` on a real HAProxy, killed at every effect, commands to its socket among them.

Somebody always answers, the config is valid, and the next command, whichever it is, makes file, HAProxy, state file and
history agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.haproxy_places import POOL, VERSIONS, HaPlace, Kind, assert_struck, haproxy_place, other, settled
from tests.chaos.support import Point, everywhere, history, journals, one_of_each, strike, survey
from tests.chaos.test_deploy import Asking

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy

KINDS = {
    "state file": Kind(state_file=True),
    "config": Kind(),
    "socket": Kind(config=False),
    "reload": Kind(state_file=True, mode="reload"),
    "plain": Kind(state_file=True, master=False),
}
SEEN = ("send ", "Popen haproxy -sf", "replace config", "replace state")
NEXT = ("recover", "same", "back", "show", "drain", "rollback")


@dataclass(frozen=True)
class Crash:
    """A kill, and what is called next."""

    point: Point
    mode: str
    following: str


def crashes(points: list[Point], mode: str, first: int = 0) -> list[Crash]:
    """Each point with each of the following commands in turn."""
    return [Crash(point, mode, NEXT[i % len(NEXT)]) for i, point in enumerate(points, first)]


_known: dict[Kind, list[Point]] = {}


def points_of(folder: Path, kind: Kind) -> list[Point]:
    """Every point of a switch; of those that only make our own folders, the first. Each kind is tried once a session."""
    if kind not in _known:
        with haproxy_place(folder, kind) as made:
            found = survey(made, *made.switch("app-green"))
        _known[kind] = [p for p in found if not p.kind.startswith("mkdir") or p.number == 1]
    return _known[kind]


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory, haproxy_binary: str) -> dict[str, list[Point]]:
    return {name: points_of(tmp_path_factory.mktemp("survey") / "0", kind) for name, kind in KINDS.items()}


def after_kill(made: HaPlace) -> None:
    """What must hold at every instant."""
    assert made.conf.read_bytes() in made.texts.values(), "a half-written file"
    assert made.accepts()
    assert made.version() in VERSIONS.values()


def show(made: HaPlace) -> None:
    """It only looks; and it tells what was cut off."""
    before = made.files(), made.lasting(), made.journals
    result = made.run("show", "--json")
    assert result.code == 0, result
    assert bool(result.json["interrupted"]) == any(path.stat().st_size for path in made.journals)
    assert (made.files(), made.lasting(), made.journals) == before
    assert made.run("recover").code == 0


def next_command(made: HaPlace, following: str, was: str, target: str) -> None:
    """Call it, and see that it did what it said."""
    if following == "show":
        show(made)
        return
    words = {
        "recover": ("recover",),
        "same": made.switch(target),
        "back": made.switch(was),
        "drain": ("drain", f"{POOL}/{was}", "--timeout", "10s"),
        "rollback": ("rollback", POOL),
    }[following]
    result = made.run(*words)
    refused = result.code == 2 and following in ("drain", "rollback")  # where the switch was taken back
    assert result.code == 0 or refused, result
    if refused:  # there was nothing to do, nor to recover
        assert journals(made) == []
        assert made.run("recover").code == 0
    live = made.only()
    expected = {"same": target, "back": was, "drain": was if refused else target, "rollback": was}
    assert live == expected.get(following, live), (live, result)


def crash_and_recover(made: HaPlace, crash: Crash) -> None:
    """Kill a switch there, look, call the next command, and look again."""
    made.fresh()
    was = made.only()
    target = other(was)
    with Asking(made) as client:
        assert_struck(made, strike(made, crash.point.number, crash.mode, *made.switch(target)))
        after_kill(made)
        next_command(made, crash.following, was, target)
    assert not client.problems, f"{len(client.problems)} of {client.asked}: {client.problems[0]}"
    live = settled(made)
    kinds = [e.kind for e in history(made)]
    assert kinds == (["switch"] if live == target else []) or crash.following in ("back", "rollback")


def sweep(crashes: list[Crash], kind: Kind, folder: Path) -> None:
    everywhere(crashes, lambda number: haproxy_place(folder / str(number), kind), crash_and_recover)


def changing(points: list[Point]) -> list[Point]:
    """From where the candidate is tested on."""
    return points[next(i for i, p in enumerate(points) if "journal" in p.kind) :]


def test_killed_before_effects(points: dict[str, list[Point]], tmp_path: Path) -> None:
    sweep(crashes(changing(points["state file"])[::6], "before"), KINDS["state file"], tmp_path)


def test_killed_before_and_after_what_others_see(points: dict[str, list[Point]], tmp_path: Path) -> None:
    seen = [p for p in points["state file"] if p.kind.startswith(SEEN)]
    sweep([*crashes(seen, "before"), *crashes(seen, "after", 3)], KINDS["state file"], tmp_path)


def test_killed_in_the_middle_of_every_kind_of_write_and_command(points: dict[str, list[Point]], tmp_path: Path) -> None:
    written = [p for p in points["state file"] if p.kind.startswith(("write ", "send "))]
    sweep(crashes(one_of_each(written)[3:], "partial"), KINDS["state file"], tmp_path)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "state file"])
def test_killed_with_another_setup(points: dict[str, list[Point]], tmp_path: Path, name: str) -> None:
    told = [p for p in points[name] if p.kind.startswith(SEEN)]
    sweep(crashes(told, "after", list(KINDS).index(name)), KINDS[name], tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("following", NEXT)
@pytest.mark.parametrize("mode", ["before", "after"])
@pytest.mark.parametrize("name", KINDS)
def test_every_effect_with_every_next_command(
    points: dict[str, list[Point]], tmp_path: Path, name: str, mode: str, following: str
) -> None:
    sweep([Crash(point, mode, following) for point in points[name]], KINDS[name], tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", KINDS)
def test_every_write_and_command_cut_in_the_middle(points: dict[str, list[Point]], tmp_path: Path, name: str) -> None:
    written = [p for p in points[name] if p.kind.startswith(("write ", "send "))]
    sweep([Crash(p, "partial", following) for p in one_of_each(written) for following in NEXT], KINDS[name], tmp_path)
