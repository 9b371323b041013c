"""Fixtures with an HAProxy; a test module takes them with `pytest_plugins = ["tests.e2e.haproxy_fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.haproxy_support import HaproxyBench, haproxy_bench


@pytest.fixture
def ha_place(tmp_path: Path, haproxy_binary: str) -> Iterator[HaproxyBench]:
    """An empty bench: write a config, start HAProxy."""
    with haproxy_bench(tmp_path) as made:
        yield made


@pytest.fixture
def ha(ha_place: HaproxyBench) -> HaproxyBench:
    """HAProxy runs as master and worker; app-blue serves version 1; app-green is disabled, and nothing is there."""
    ha_place.write(ha_place.instance("1"))
    ha_place.start()
    return ha_place


@pytest.fixture
def plain(ha_place: HaproxyBench) -> HaproxyBench:
    """The same without a master."""
    ha_place.write(ha_place.instance("1"))
    ha_place.start(master=False)
    return ha_place
