"""A server is added to the pool, or taken out of it, and the run is killed: by a reload, and while HAProxy runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.chaos.haproxy_places import POOL, HaPlace, Kind, clean, haproxy_place, none_starts
from tests.chaos.support import KILLED, Point, everywhere, history, strike, survey
from tests.chaos.test_deploy import Asking
from tests.e2e.support import eventually

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy

KINDS = {
    "by a reload": Kind(state_file=True, more="default-server inter 300ms"),
    "while it runs": Kind(state_file=True),
    "without a master": Kind(master=False, more="default-server inter 300ms"),
}
NEXT = ("recover", "same", "reload", "stop")
ADDED = ["app-blue", "app_backend-3"]


@dataclass(frozen=True)
class Crash:
    """A kill while a server is added, or removed, and what comes then."""

    point: Point
    mode: str
    following: str
    removes: bool = False


def add(made: HaPlace) -> tuple[str, ...]:
    return made.switch(f"127.0.0.1:{made.blue}", made.third)


@dataclass(frozen=True)
class Course:
    """The points of an addition, and of taking it back."""

    adding: list[Point]
    removing: list[Point]

    def crashes(self, mode: str, kinds: tuple[str, ...] = ("",)) -> list[Crash]:
        both = [(p, False) for p in self.adding] + [(p, True) for p in self.removing]
        chosen = [(p, removes) for p, removes in both if p.kind.startswith(kinds)]
        return [Crash(p, mode, NEXT[i % len(NEXT)], removes) for i, (p, removes) in enumerate(chosen)]


@pytest.fixture(scope="module")
def courses(tmp_path_factory: pytest.TempPathFactory, haproxy_binary: str) -> dict[str, Course]:
    found = {}
    for name, kind in KINDS.items():
        with haproxy_place(tmp_path_factory.mktemp("survey") / "0", kind) as made:
            adding = survey(made, *add(made))
            found[name] = Course(adding, survey(made, "rollback", POOL))
            assert made.live() == ["app-blue"]
    return found


def ready(made: HaPlace, crash: Crash) -> None:
    """As it is before the run that is killed."""
    made.fresh()
    if crash.following == "stop" and made.kind.state_file:
        made.save_state()
    if crash.removes:
        result = made.run(*add(made))
        assert result.code == 0, result


def follow(made: HaPlace, crash: Crash, words: tuple[str, ...]) -> None:
    if crash.following == "reload":
        assert made.has_master or eventually(lambda: none_starts(made)), "two of them at once"
        made.reload()
    if crash.following == "stop":
        made.end()
    result = made.run(*(words if crash.following == "same" else ("recover",)))
    undone = crash.removes and crash.following == "same" and "nothing to take back" in result.err  # twice would be too much
    assert result.code == 0 or undone, result
    if crash.following == "stop":
        made.restart()
        made.silent = True


def crash(made: HaPlace, crash: Crash) -> None:
    made.silent = False
    ready(made, crash)
    before = made.conf.read_bytes()
    words = ("rollback", POOL) if crash.removes else add(made)
    with Asking(made) as client:
        result = strike(made, crash.point.number, crash.mode, *words)
        assert result.code == KILLED, result
        assert made.accepts()
        if crash.following != "stop":
            follow(made, crash, words)
    assert not client.problems, f"{len(client.problems)} of {client.asked}: {client.problems[0]}"
    if crash.following == "stop":
        follow(made, crash, words)
    live = clean(made)
    assert live in (["app-blue"], ADDED)
    done = len(history(made)) - crash.removes
    assert done == ((live == ADDED) != crash.removes)
    if not done:
        assert made.conf.read_bytes() == before
    if live == ADDED:
        result = made.run("rollback", POOL)
        assert result.code == 0, result
        made.silent = False
    assert clean(made) == ["app-blue"]


def sweep(crashes: list[Crash], kind: Kind, folder: Path) -> None:
    everywhere(crashes, lambda number: haproxy_place(folder / str(number), kind), crash)


@pytest.mark.parametrize("name", KINDS)
def test_a_server_is_added_and_removed(courses: dict[str, Course], tmp_path: Path, name: str) -> None:
    decisive = courses[name].crashes(
        "before", ("send ", "replace config", "replace state", "write history", "Popen haproxy -sf")
    )
    told = [c for c in decisive if c.point.kind.startswith(("send ", "Popen "))]
    last = [c for c in told if c.point.kind.startswith(("send reload", "send del", "Popen "))]
    sweep([*told, *(replace(c, mode="after", following="same") for c in last)], KINDS[name], tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", ["before", "after"])
@pytest.mark.parametrize("name", KINDS)
def test_every_effect_of_adding_and_removing(courses: dict[str, Course], tmp_path: Path, name: str, mode: str) -> None:
    sweep(courses[name].crashes(mode), KINDS[name], tmp_path)
