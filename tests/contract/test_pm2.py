"""The PM2 driver through a whole life: in place, and with two slots in either mode."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.drivers import InPlaceLife, whole_life
from tests.drivers.pm2_world import Site, site

__all__ = ["site"]
SCRIPT = {"ecosystem": None, "script": "web.js", "exec_mode": "cluster", "instances": 2}
READY = {"wait_ready": True, "listen_timeout": "20s", "kill_timeout": "5s"}


@pytest.mark.parametrize("keys", [{}, SCRIPT | READY, {"save": True}], ids=["file", "script", "saved"])
def test_pm2_in_place(site: Site, keys: dict[str, Any]) -> None:
    InPlaceLife(lambda: site.driver(**keys), site.slot, site.put, site.version).live()
    assert not site.pids()


@pytest.mark.parametrize("mode", ["fork", "cluster"])
@pytest.mark.parametrize("ready", [True, False])
def test_pm2_with_two_slots(site: Site, mode: str, ready: bool) -> None:
    for version in ("v1", "v2"):
        site.put(version)
    site.ecosystem(cwd=None, exec_mode=mode, instances=1 if mode == "fork" else 2, wait_ready=ready)
    slot = site.context(site.beside(), slots=site.slots, pool="web").app.places[0]
    whole_life(site.slot_driver, slot, lambda version: f"version {version} listens")
    assert not site.pids("web-blue")
