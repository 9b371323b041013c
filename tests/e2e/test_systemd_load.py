"""Releases of units in two slots, behind nginx in instant mode, under a load that tries nothing again."""

from __future__ import annotations

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from tests.e2e.systemd_support import units
from tests.runners.systemd import Systemd

pytestmark = pytest.mark.root


def test_ten_releases_fail_no_request(systemd: Systemd, prefix: str) -> None:
    with units(systemd, prefix) as web:
        web.run("adopt", "web", "--blue", f"127.0.0.1:{web.blue}", "--green", f"127.0.0.1:{web.green}", "--yes")
        kinds = {"keepalive": 2, "closing": 1, "idle": 2, "long": 1, "uploads": 1}
        with Load(Endpoint(systemd.address, web.port), **kinds, long_seconds=0.5) as load:
            for version in range(2, 12):
                web.deploy(str(version))
        seen = load.stop()
    assert (seen.failures, seen.reused_closed) == (0, 0), (seen.by_kind, seen.errors)
    assert set(seen.by_version) == {str(version) for version in range(1, 12)}
