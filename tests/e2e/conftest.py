"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.support import Bench, bench


@pytest.fixture
def place(tmp_path: Path, nginx_binary: str) -> Iterator[Bench]:
    """An empty bench: write a config, start nginx."""
    with bench(tmp_path) as made:
        yield made


@pytest.fixture
def running(place: Bench) -> Bench:
    """nginx runs, the pool app_backend has one server: version 1."""
    place.write(place.instance("1"))
    place.start()
    return place
