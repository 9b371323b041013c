from __future__ import annotations

from pathlib import Path

import pytest

from proxyswitch.model import Endpoint
from tests.contract.drivers import InPlaceLife, whole_life
from tests.drivers.compose_world import MAIN, SCALED, ComposeWorld, version
from tests.runners.docker import Docker


@pytest.fixture
def world(docker: Docker, compose: list[str], prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ComposeWorld:
    for key, value in docker.env.items():
        monkeypatch.setenv(key, value)
    made = ComposeWorld(docker, prefix, tmp_path, compose)
    for number in ("1", "2", "3", "4"):
        made.docker.image(f"{prefix}:v{number}", f"v{number}")
    docker.run("tag", f"{prefix}:v1", f"{prefix}:1")
    return made


def test_slots(world: ComposeWorld) -> None:
    world.write()
    world.compose("up", "-d", "db")
    whole_life(world.driver, world.slot(), lambda version: f"version {version} listens")


def test_in_place(world: ComposeWorld) -> None:
    world.write(SCALED)
    life = InPlaceLife(world.scaled, MAIN, lambda version: None, lambda: answer(world))
    life.live()
    assert life.moves
    assert all(place.host == "127.0.0.1" for (place,) in life.moves)


def answer(world: ComposeWorld) -> str:
    """The version that answers where the driver says that the app listens."""
    there = world.scaled().status(MAIN)
    place = there.endpoints[0] if there and there.endpoints else Endpoint("127.0.0.1", 1)
    try:
        return version(place)
    except OSError as error:
        return str(error)
