"""A canary, a rolling release and a stop-start killed at their effects: afterwards one version runs, and nothing is left."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from proxyswitch.system import proc
from tests.chaos.support import KILLED, Point, everywhere, history, journals, strays, strike, survey
from tests.chaos.test_deploy import apps
from tests.e2e.shop import Shop, shop
from tests.e2e.support import bench

pytestmark = pytest.mark.timeout(900)  # several minutes where the machine is busy

CANARY: dict[str, Any] = {"strategy": "canary", "canary": {"steps": ["20%", "50%"], "pause": "20ms"}}
WAYS: dict[str, dict[str, Any]] = {
    "canary": CANARY,
    "rolling": {"strategy": "rolling"},
    "stop-start": {"strategy": "stop-start"},
}
NEXT = ("recover", "again")
TWO = """\
upstream app_backend {{
    server 127.0.0.1:{blue};
    server 127.0.0.1:GREEN;  # the second
}}
"""


@dataclass(frozen=True)
class Crash:
    """A kill of a release in one of the ways, and what is called next."""

    point: Point
    mode: str
    way: str
    following: str


@contextmanager
def released(folder: Path, way: str) -> Iterator[Shop]:
    """Version 2 is live, and was released over version 1: every folder of the state is there."""
    folder.mkdir(parents=True)
    try:
        with bench(folder) as made, shop(made) as web:
            if way == "rolling":
                made.stop()
                made.write(web.blue, pools=TWO.replace("GREEN", str(web.green)))
                made.start()
            web.configure(watch="50ms", drain="10s", **WAYS[way])
            for slot in ("blue", "green") if way == "rolling" else ("blue",):
                assert web.run("start", f"web:{slot}", "--version", "1").code == 0
            web.deploy("2")
            yield web
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settled(web: Shop, way: str) -> str:
    """One version runs, in all slots that serve and in no other; the config says so and nothing else. Returns it."""
    assert journals(web.bench) == []
    assert strays(web.bench.folder) == []
    assert web.bench.nginx_accepts()
    history(web.bench)
    running = [proc.environment(process.pid) for process in apps(web)]
    (version,) = {environment["APP_VERSION"] for environment in running}
    assert len(running) == (2 if way == "rolling" else 1)
    text = web.bench.pools.read_text()
    lines = re.findall(r"server (127\.0\.0\.1:\d+);", text)
    assert sorted(lines) == sorted(f"127.0.0.1:{environment['PORT']}" for environment in running)
    assert "weight" not in text
    assert "down" not in text
    assert {web.bench.version() for _ in range(4)} == {version}
    return version


def crash(web: Shop, crash: Crash) -> None:
    """Kill the release there; recover, or release again."""
    was = web.bench.version()
    new = str(int(was) + 1)
    words = ("deploy", "web", "--version", new)
    result = strike(web.bench, crash.point.number, crash.mode, *words)
    if result.code == 0:  # the points are those of one survey: a run with fewer looks has fewer of them
        return
    assert result.code == KILLED, result
    assert web.bench.nginx_accepts()
    result = web.run(*words) if crash.following == "again" else web.run("recover")
    assert result.code == 0, result
    version = settled(web, crash.way)
    assert version == new if crash.following == "again" else version in (was, new)


def sweep(way: str, folder: Path, mode: str, every: int, nginx_binary: str) -> None:
    with released(folder / "survey", way) as web:
        points = survey(web.bench, "deploy", "web", "--version", "3")
    jobs = [Crash(p, mode, way, NEXT[i % 2]) for i, p in enumerate(points[::every])]
    everywhere(jobs, lambda number: released(folder / str(number), way), crash)


@pytest.mark.parametrize("way", WAYS)
def test_killed_at_some_effects(way: str, tmp_path: Path, nginx_binary: str) -> None:
    sweep(way, tmp_path, "before", 23, nginx_binary)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", ["before", "after"])
@pytest.mark.parametrize("way", WAYS)
def test_killed_at_every_effect(way: str, mode: str, tmp_path: Path, nginx_binary: str) -> None:
    sweep(way, tmp_path, mode, 1, nginx_binary)
