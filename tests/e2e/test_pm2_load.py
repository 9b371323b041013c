"""Releases of an app of a real PM2 in cluster mode, by an ecosystem file that generate made, under a load that tries nothing
again."""

from __future__ import annotations

from pathlib import Path

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from tests.e2e.pm2_support import pm2_web
from tests.runners.pm2 import Pm2

KINDS = {"keepalive": 1, "closing": 2, "long": 1}


def test_ten_releases_in_place_fail_no_request(tmp_path: Path, pm2: Pm2) -> None:
    """With no proxy before it."""
    with pm2_web(tmp_path, pm2) as web:
        web.generate()
        web.release("1")
        with Load(Endpoint("127.0.0.1", web.site.port), **KINDS, long_seconds=0.5) as load:
            for version in range(2, 12):
                web.release(str(version))
        seen = load.stop()
    assert seen.failures == 0, (seen.by_kind, seen.errors)
    assert set(seen.by_version) == {str(version) for version in range(1, 12)}
