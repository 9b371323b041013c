"""Ten releases, and one that fails, of a service of two tasks behind HAProxy, at ports that Docker gives out, under load."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from tests.e2e.compose_support import shorter_uploads
from tests.e2e.swarm_support import alone
from tests.runners.docker import Docker

__all__ = ["shorter_uploads"]
pytestmark = [pytest.mark.root, pytest.mark.usefixtures("shorter_uploads")]


def test_no_request_fails(swarm: Docker, haproxy_binary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in swarm.env.items():
        monkeypatch.setenv(key, value)
    kinds = {"keepalive": 2, "closing": 1, "idle": 2, "long": 1, "uploads": 1}
    with alone(swarm, tmp_path) as web:
        web.images("2-never", *(str(number) for number in range(3, 12)))
        with Load(Endpoint("127.0.0.1", web.bench.port), **kinds, long_seconds=0.5) as load:
            for number in range(2, 12):
                web.deploy(str(number))
                web.serves(str(number))
            web.deploy("2-never", code=3)
        seen = load.stop()
    assert (seen.failures, seen.reused_closed) == (0, 0), (seen.by_kind, seen.errors)
    assert set(seen.by_version) == {str(number) for number in range(1, 12)}
