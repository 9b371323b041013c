"""Worlds for tests of the Compose driver: with each Compose, or with version 2; images are shared by a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.drivers.compose_world import ComposeWorld
from tests.runners.docker import Docker

IMAGES = {"1": "", "2": "", "exits": "exit", "never": "never-ready", "deaf": "deaf"}
Make = Callable[[list[str]], ComposeWorld]


@pytest.fixture(scope="module")
def images(docker: Docker) -> Iterator[str]:
    """The app in two versions and with faults; `blind` has no health check."""
    with docker.prefixed() as name:
        for tag, broken in IMAGES.items():
            docker.image(f"{name}:{tag}", tag, broken)
        docker.image(f"{name}:blind", "blind", health="")
        yield name


@pytest.fixture
def make(docker: Docker, images: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    def made(program: list[str]) -> ComposeWorld:
        for key, value in docker.env.items():
            monkeypatch.setenv(key, value)
        world = ComposeWorld(docker, prefix, tmp_path, program, images=images)
        world.write()
        return world

    return made


@pytest.fixture
def both(make: Make, compose: list[str]) -> ComposeWorld:
    """With each of the two Composes."""
    return make(compose)


@pytest.fixture
def newer(make: Make, compose2: list[str]) -> ComposeWorld:
    """With version 2."""
    return make(compose2)
