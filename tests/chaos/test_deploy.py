"""`deploy` and `rollback` killed at their effects: somebody always answers, and afterwards exactly the live version runs."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxyswitch.model import ProcessId
from proxyswitch.system import proc
from tests.chaos.support import (
    KILLED,
    Point,
    everywhere,
    history,
    journals,
    one_of_each,
    strays,
    strike,
    survey,
)
from tests.e2e.shop import Shop, shop
from tests.e2e.support import Bench, bench

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy

NEXT = ("recover", "again")


@dataclass(frozen=True)
class Crash:
    """A kill, and what is called next."""

    point: Point
    mode: str
    following: str


def crashes(points: list[Point], mode: str) -> list[Crash]:
    return [Crash(point, mode, NEXT[i % len(NEXT)]) for i, point in enumerate(points)]


@contextmanager
def empty(folder: Path) -> Iterator[Shop]:
    """An app that was never released, behind a running nginx."""
    folder.mkdir(parents=True)
    try:
        with bench(folder) as made, shop(made) as web:
            web.configure(watch="200ms", drain="10s")
            yield web
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def released(folder: Path) -> Iterator[Shop]:
    """Version 2 is live, and was released over version 1: every folder of the state is there."""
    with empty(folder) as web:
        assert web.run("start", "web:blue", "--version", "1").code == 0
        web.deploy("2")
        yield web


@dataclass
class Asking:
    """A client that asks without a pause, each time anew, and remembers what went wrong."""

    bench: Bench
    asked: int = 0
    problems: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Asking:
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self.over.wait(0.01):
            self.asked += 1
            try:
                self.bench.version()
            except OSError as error:
                self.problems.append(str(error))


def apps(web: Shop) -> list[ProcessId]:
    """Every process that carries the mark of this bench's instances."""
    ours = proc.with_environment("PROXYSWITCH_STATE", str(web.bench.state))
    return [process for process in ours if "PROXYSWITCH_INSTANCE" in proc.environment(process.pid)]


def settled(web: Shop) -> str:
    """Exactly the live version runs, and nothing is left of the crash. Returns the version."""
    assert journals(web.bench) == []
    assert strays(web.bench.folder) == []
    assert web.bench.nginx_accepts()
    history(web.bench)
    (only,) = apps(web)
    environment = proc.environment(only.pid)
    version = environment["APP_VERSION"]
    assert web.instances() == {environment["APP_SLOT"]: version}
    assert f"server 127.0.0.1:{environment['PORT']};" in web.bench.pools.read_text()
    assert {web.bench.version() for _ in range(4)} == {version}
    return version


def after_kill(web: Shop) -> None:
    assert web.bench.nginx_accepts()
    web.bench.version()


def crash_deploy(web: Shop, crash: Crash) -> None:
    """Kill a deploy there; recover, or deploy again."""
    was = web.bench.version()
    new = str(int(was) + 1)
    words = ("deploy", "web", "--version", new)
    result = strike(web.bench, crash.point.number, crash.mode, *words)
    assert result.code == KILLED, result
    with Asking(web.bench) as client:
        after_kill(web)
        result = web.run(*words) if crash.following == "again" else web.run("recover")
        assert result.code == 0, result
    assert not client.problems, f"{len(client.problems)} of {client.asked}: {client.problems[0]}"
    version = settled(web)
    assert version == new if crash.following == "again" else version in (was, new)
    last = [e for e in history(web.bench) if e.kind == "release" and e.result == "done"][-1]
    assert last.version == version


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory, nginx_binary: str) -> list[Point]:
    """Every point of a deploy."""
    with released(tmp_path_factory.mktemp("survey") / "0") as web:
        return survey(web.bench, "deploy", "web", "--version", "3")


def crash_first(web: Shop, crash: Crash) -> None:
    """Kill the first deploy of an app there; then deploy it, with or without a recovery before."""
    result = strike(web.bench, crash.point.number, crash.mode, "deploy", "web", "--version", "1")
    assert result.code == KILLED, result
    assert web.bench.nginx_accepts()
    if crash.following == "recover":
        result = web.run("recover")
        assert result.code == 0, result
        assert journals(web.bench) == []
        assert [proc.environment(p.pid)["APP_SLOT"] for p in apps(web)] in ([], [web.live()])
    web.deploy("1")
    assert settled(web) == "1"
    web.close()
    shutil.rmtree(web.bench.state)


def crash_rollback(web: Shop, crash: Crash) -> None:
    """Deploy, and kill the rollback of it there; recover, or deploy once more."""
    was = web.bench.version()
    new = str(int(was) + 1)
    web.deploy(new)
    result = strike(web.bench, crash.point.number, crash.mode, "rollback", "web")
    assert result.code == KILLED, result
    with Asking(web.bench) as client:
        after_kill(web)
        words = ("recover",) if crash.following == "recover" else ("deploy", "web", "--version", str(int(new) + 1))
        result = web.run(*words)
        assert result.code == 0, result
    assert not client.problems, f"{len(client.problems)} of {client.asked}: {client.problems[0]}"
    version = settled(web)
    assert version in (was, new) if crash.following == "recover" else version == words[-1]


@pytest.fixture(scope="module")
def first_points(tmp_path_factory: pytest.TempPathFactory, nginx_binary: str) -> list[Point]:
    """Every point of a first deploy: folders are made on the way."""
    with empty(tmp_path_factory.mktemp("survey") / "0") as web:
        return survey(web.bench, "deploy", "web", "--version", "1")


@pytest.fixture(scope="module")
def rollback_points(tmp_path_factory: pytest.TempPathFactory, nginx_binary: str) -> list[Point]:
    with released(tmp_path_factory.mktemp("survey") / "0") as web:
        return survey(web.bench, "rollback", "web")


def sweep(
    crashes: list[Crash],
    folder: Path,
    make: Callable[[Path], AbstractContextManager[Shop]] = released,
    check: Callable[[Shop, Crash], None] = crash_deploy,
) -> None:
    everywhere(crashes, lambda number: make(folder / str(number)), check)


def writes(points: list[Point]) -> list[Point]:
    return [point for point in points if point.kind.startswith("write ") and point.kind != "write memory"]


def test_killed_at_every_effect(points: list[Point], tmp_path: Path) -> None:
    mixed = [Crash(point, ("before", "after")[i % 2], NEXT[i // 2 % 2]) for i, point in enumerate(points)]
    sweep(mixed, tmp_path)


def test_killed_in_the_middle_of_writes(points: list[Point], tmp_path: Path) -> None:
    sweep(crashes(writes(points)[::6], "partial"), tmp_path)


def test_the_first_deploy_killed(first_points: list[Point], tmp_path: Path) -> None:
    sweep(crashes(one_of_each(first_points)[::6], "before"), tmp_path, empty, crash_first)


def test_a_rollback_killed(rollback_points: list[Point], tmp_path: Path) -> None:
    sweep(crashes(one_of_each(rollback_points)[::9], "after"), tmp_path, released, crash_rollback)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("following", NEXT)
@pytest.mark.parametrize("mode", ["before", "after"])
def test_every_effect_of_a_deploy(points: list[Point], tmp_path: Path, mode: str, following: str) -> None:
    sweep([Crash(point, mode, following) for point in points], tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["before", "after"])
def test_every_effect_of_a_first_deploy(first_points: list[Point], tmp_path: Path, mode: str) -> None:
    sweep(crashes(first_points, mode), tmp_path, empty, crash_first)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["before", "after"])
def test_every_effect_of_a_rollback(rollback_points: list[Point], tmp_path: Path, mode: str) -> None:
    sweep(crashes(rollback_points, mode), tmp_path, released, crash_rollback)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_every_write_of_a_deploy_cut(points: list[Point], tmp_path: Path) -> None:
    sweep(crashes(writes(points), "partial"), tmp_path)


def test_two_deploys_at_once(tmp_path: Path, nginx_binary: str) -> None:
    with released(tmp_path / "0") as web:
        for first, second in (("3", "4"), ("5", "6")):
            runs = {version: web.spawn(version) for version in (first, second)}
            codes = {version: (run.communicate(timeout=60), run.returncode)[1] for version, run in runs.items()}
            assert sorted(codes.values()) == [0, 75]
            assert settled(web) == next(version for version, code in codes.items() if code == 0)
