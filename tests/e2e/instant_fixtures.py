"""Fixtures for tests of pools in instant mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.instant_support import InstantBench


@pytest.fixture
def blank(tmp_path: Path, nginx_binary: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[InstantBench]:
    """An empty bench."""
    made = InstantBench(tmp_path)
    monkeypatch.setenv("PROXYSWITCH_STATE", str(made.state))
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def instant(blank: InstantBench) -> InstantBench:
    """nginx runs with app_backend in instant mode: blue, version 1, serves; green, version 2, is idle."""
    blank.set_up()
    return blank
