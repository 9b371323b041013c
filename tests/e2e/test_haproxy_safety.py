"""Before a server takes traffic it is asked itself; HAProxy would send it requests at once."""

from __future__ import annotations

from proxyswitch.system import net
from tests.e2e.haproxy_support import POOLS, HaproxyBench

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

CHECKED = POOLS.replace("backend app_backend\n", "backend app_backend\n    option httpchk GET /health\n")


def test_a_switch_to_a_backup_that_is_dead_is_refused(ha_place: HaproxyBench) -> None:
    spare = f"    server old 127.0.0.1:{net.free_port()} backup\n"
    ha_place.write(ha_place.instance("1"), pools=POOLS + spare)
    ha_place.start()
    with ha_place.nothing_done():
        result = ha_place.run("switch", "app_backend", "old")
    assert (result.code, "old (127.0.0.1:" in result.err) == (3, True), result.err


def test_a_target_is_asked_what_its_own_check_asks(ha_place: HaproxyBench) -> None:
    ill = ha_place.instance("2", APP_BROKEN="never-healthy")
    ha_place.write(ha_place.instance("1"), green=ill, pools=CHECKED)
    ha_place.start()
    with ha_place.nothing_done():
        result = ha_place.run("switch", "app_backend", "app-green")
    assert result.code == 3
    assert "app-green" in result.err
    assert "503" in result.err
    assert "/health" in result.err


def test_a_healthy_target_is_switched_to(ha_place: HaproxyBench) -> None:
    ha_place.write(ha_place.instance("1"), green=ha_place.instance("2"), pools=CHECKED)
    ha_place.start()
    result = ha_place.run("switch", "app_backend", "app-green")
    assert (result.code, ha_place.version()) == (0, "2"), result.err


def test_force_does_not_ask(ha_place: HaproxyBench) -> None:
    ill = ha_place.instance("2", APP_BROKEN="never-healthy")
    ha_place.write(ha_place.instance("1"), green=ill, pools=CHECKED)
    ha_place.start()
    result = ha_place.run("switch", "app_backend", "app-green", "--force")
    assert (result.code, ha_place.state_of("app_backend", "app-green")) == (0, "ready"), result.err
