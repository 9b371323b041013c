"""`maintenance` of an HAProxy pool, killed at every effect: file, page and what runs agree after the next command."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.chaos.haproxy_places import POOL, HaPlace, Kind, assert_struck, clean, haproxy_place, none_starts
from tests.chaos.support import Point, everywhere, history, strike, survey
from tests.e2e.support import eventually
from tests.e2e.test_haproxy_maintenance import OFF, ON, asked

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy

KINDS = {"state file": Kind(state_file=True), "plain": Kind(master=False), "stopped": Kind()}
NEXT = ("recover", "on", "off", "reload", "start")
DECISIVE = ("replace config", "Popen haproxy -sf", "send reload", "kill", "replace state/maintenance", "write history")
LAST = ("unlink journal", "fsync folder of the state")  # it can have ended before: a folder is not made twice


@dataclass(frozen=True)
class Crash:
    """A kill while the pool is closed or opened, and what comes then."""

    point: Point
    mode: str
    following: str
    opens: bool


@dataclass(frozen=True)
class Course:
    """The points of closing, and of opening again."""

    closing: list[Point]
    opening: list[Point]

    def crashes(self, mode: str, kinds: tuple[str, ...] = ("",), every: int = 1) -> list[Crash]:
        both = [(p, False) for p in self.closing] + [(p, True) for p in self.opening]
        chosen = [(p, opens) for p, opens in both if p.kind.startswith(kinds)][::every]
        return [Crash(p, mode, NEXT[i % len(NEXT)], opens) for i, (p, opens) in enumerate(chosen)]


def prepared(made: HaPlace, name: str, *, opens: bool) -> bytes:
    """Open, or closed, and running or not; returns the text of the config while the pool is open."""
    if not made.processes:
        made.restart()
    assert made.run(*OFF).code == 0
    made.fresh()
    text = made.conf.read_bytes()
    if opens:
        assert made.run(*ON).code == 0
    if name == "stopped":
        made.end()
    return text


@pytest.fixture(scope="module")
def courses(tmp_path_factory: pytest.TempPathFactory, haproxy_binary: str) -> dict[str, Course]:
    found = {}
    for name, kind in KINDS.items():
        with haproxy_place(tmp_path_factory.mktemp("survey") / "0", kind) as made:
            prepared(made, name, opens=True)  # once, so that the survey begins with what every later run finds
            prepared(made, name, opens=False)
            found[name] = Course(survey(made, *ON), survey(made, *OFF))
    return found


def follow(made: HaPlace, crash: Crash) -> None:
    if crash.following in ("reload", "start"):
        assert made.has_master or eventually(lambda: none_starts(made)), "two of them at once"
        made.reload() if made.processes else made.restart()
    result = made.run(*{"on": ON, "off": OFF}.get(crash.following, ("recover",)))
    assert result.code == 0, result


def strike_and_follow(made: HaPlace, crash: Crash, name: str) -> None:
    text = prepared(made, name, opens=crash.opens)
    before = [e.id for e in history(made)]
    result = strike(made, crash.point.number, crash.mode, *(OFF if crash.opens else ON))
    if crash.point.kind not in LAST or result.code != 0:
        assert_struck(made, result)
    assert made.accepts(), "a rule without its page"
    if made.processes:
        assert asked(made)[0] in (200, 503)
    follow(made, crash)
    if not made.processes:
        made.restart()
    closed = made.conf.read_bytes() != text
    assert (asked(made)[0] == 503) == closed == bool(made.run("show", "--json").json["pools"][0]["closed"])
    assert closed == {"on": True, "off": False}.get(crash.following, closed)
    new = [e for e in history(made) if e.id not in before]
    assert all(e.kind in ("maintenance on", "maintenance off") and e.pool == POOL for e in new)
    assert crash.following in ("on", "off") or bool(new) == (closed != crash.opens)
    assert clean(made) == ["app-blue"]
    assert made.run(*OFF).code == 0
    assert (made.conf.read_bytes(), made.version()) == (text, "1")


def sweep(crashes: list[Crash], name: str, folder: Path) -> None:
    everywhere(
        crashes,
        lambda number: haproxy_place(folder / str(number), KINDS[name]),
        lambda made, crash: strike_and_follow(made, crash, name),
    )


@pytest.mark.parametrize("name", KINDS)
def test_killed_where_it_counts(courses: dict[str, Course], tmp_path: Path, name: str) -> None:
    course = courses[name]
    sweep([*course.crashes("before", DECISIVE), *course.crashes("after", DECISIVE[:4])], name, tmp_path)


def test_whatever_comes_after_the_file_was_written(courses: dict[str, Course], tmp_path: Path) -> None:
    """While HAProxy does not run: somebody starts it then with what was not finished, and it is taken back."""
    written = courses["stopped"].crashes("after", ("replace config",))
    sweep([replace(crash, following=following) for crash in written for following in NEXT], "stopped", tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", ["before", "after"])
@pytest.mark.parametrize("name", KINDS)
def test_every_effect(courses: dict[str, Course], tmp_path: Path, name: str, mode: str) -> None:
    sweep(courses[name].crashes(mode), name, tmp_path)
