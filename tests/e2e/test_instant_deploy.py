"""Releases through a pool in instant mode."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from proxyswitch.proxies import nginx_flags
from tests.e2e.instant_support import CONF_INSTANT, POOLS_INSTANT, InstantBench
from tests.e2e.shop import Shop

pytest_plugins = ["tests.e2e.instant_fixtures"]


@pytest.fixture
def web(blank: InstantBench) -> Iterator[Shop]:
    """Version 1 of the app is live in slot blue, behind a flag."""
    made = Shop(blank)
    blank.blue, blank.green = made.blue, made.green
    made.configure()
    conf = CONF_INSTANT.replace("{flags}", str(blank.flags)).replace("{key}", blank.key)
    blank.write(made.blue, conf, POOLS_INSTANT.replace("{green}", str(made.green)))
    nginx_flags.make(str(blank.flags), 0)
    blank.start()
    try:
        assert made.run("start", "web:blue", "--version", "1").code == 0
        yield made
    finally:
        made.close()


def test_releases_under_load_fail_no_request(web: Shop) -> None:
    place = web.bench
    workers = place.workers.active
    kinds = {"keepalive": 2, "closing": 1, "idle": 2, "long": 1, "uploads": 1}
    with Load(Endpoint("127.0.0.1", place.port), **kinds, long_seconds=0.5) as load:
        for version in ("2", "3"):
            assert web.deploy(version, "--json").json["mode"] == "instant"
            assert web.instances() == {web.live(): version}
    seen = load.stop()
    assert (seen.failures, seen.reused_closed) == (0, 0), (seen.by_kind, seen.errors)
    assert set(seen.by_version) == {"1", "2", "3"}
    assert place.workers.active == workers


def test_a_version_that_is_never_healthy_is_not_switched_to(web: Shop) -> None:
    web.configure(total="1s")
    web.deploy("2-ill", code=3)
    assert (web.live(), web.instances(), web.bench.version()) == ("blue", {"blue": "1"}, "1")


def test_rollback_of_a_release(web: Shop) -> None:
    web.deploy("2")
    assert web.run("rollback", "web").code == 0
    assert (web.live(), web.bench.version()) == ("blue", "1")


def test_a_closed_pool_is_not_released_to_unless_told(web: Shop) -> None:
    web.run("maintenance", "app_backend", "on")
    result = web.deploy("2", code=2)
    assert "closed for maintenance" in result.err
    assert web.instances() == {"blue": "1"}
    web.deploy("2", "--in-maintenance")
    assert web.instances() == {"green": "2"}


def test_status_tells_the_share_of_each_slot(web: Shop) -> None:
    def shares() -> dict[str, float]:
        return {s["slot"]: s["share"] for s in web.run("status", "--json").json["apps"][0]["slots"]}

    assert shares() == {"blue": 100, "green": 0}
    assert web.run("start", "web:green", "--version", "2").code == 0
    assert web.run("canary", "app_backend", "5%").code == 0
    assert shares() == {"blue": 95, "green": 5}


def test_a_canary_must_be_ended_first(web: Shop) -> None:
    assert web.run("start", "web:green", "--version", "2").code == 0
    web.run("canary", "app_backend", "5%")
    assert "2 slots of web" in web.deploy("3", code=2).err
