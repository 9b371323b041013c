"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.shop import Shop, shop
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


@pytest.fixture
def empty(place: Bench) -> Iterator[Shop]:
    """An app that was never released."""
    with shop(place) as made:
        yield made


@pytest.fixture
def web(empty: Shop) -> Shop:
    """Version 1 of the app is live in slot blue."""
    result = empty.run("start", "web:blue", "--version", "1")
    assert result.code == 0, result.err
    return empty
