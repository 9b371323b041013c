"""The Swarm driver through a whole life, on a real swarm."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.drivers import InPlaceLife
from tests.runners.docker import Docker
from tests.runners.swarm_app import service


@pytest.fixture(autouse=True)
def _engine(swarm: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in swarm.env.items():
        monkeypatch.setenv(key, value)


def test_swarm(swarm: Docker, tmp_path: Path) -> None:
    with service(swarm, tmp_path, ("v1",)) as web:
        web.create()
        web.table += "\nreplicas = 2"
        life = InPlaceLife(web.driver, web.slot, web.put, web.version)
        life.live()
    assert all(len(endpoints) in (1, 2, 3) for endpoints in life.moves)
    assert len(set(life.moves)) > 4
