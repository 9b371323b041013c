"""Releases of a gunicorn, under a load that tries nothing again, with no proxy before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyswitch.demo.load import Load
from tests.e2e.gunicorn_support import gunicorn_web

KINDS = {"keepalive": 1, "closing": 2, "long": 1}


@pytest.mark.parametrize(("method", "last"), [("usr2", 11), ("hup", 4)])
def test_releases_fail_no_request(tmp_path: Path, method: str, last: int) -> None:
    with gunicorn_web(tmp_path) as web:
        web.configure(method=method)
        web.release("1")
        with Load(web.site.slot.endpoint, **KINDS, long_seconds=0.5) as load:
            for version in range(2, last + 1):
                web.release(str(version))
        seen = load.stop()
    assert seen.failures == 0, (seen.by_kind, seen.errors)
    assert set(seen.by_version) == {str(version) for version in range(1, last + 1)}
