"""Before a server takes traffic it is asked itself; HAProxy would send it requests at once."""

from __future__ import annotations

import os
import subprocess
import sys

from proxyswitch.model import Endpoint
from proxyswitch.system import net
from tests.e2e.haproxy_support import POOLS, HaproxyBench
from tests.e2e.support import APP, eventually
from tests.ports import free_port

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

CHECKED = POOLS.replace("backend app_backend\n", "backend app_backend\n    option httpchk GET /health\n")


def test_a_switch_to_a_backup_that_is_dead_is_refused(ha_place: HaproxyBench) -> None:
    spare = f"    server old 127.0.0.1:{free_port()} backup\n"
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


def test_a_drained_server_that_was_down_takes_traffic_at_once(ha_place: HaproxyBench) -> None:
    """Its instance was stopped and started anew; HAProxy's own checks would see that only a minute later."""
    seldom = POOLS.replace("check inter 200ms", "check inter 100ms downinter 60s")
    ha_place.write(ha_place.instance("1"), green=ha_place.instance("2"), pools=seldom)
    ha_place.start()
    assert ha_place.run("switch", "app_backend", "app-green").code == 0
    old = ha_place.started[0]
    old.kill()
    old.wait()
    assert eventually(lambda: down(ha_place, "app-blue"))
    start_again(ha_place, "1", ha_place.blue)
    result = ha_place.run("switch", "app_backend", "app-blue")
    assert result.code == 0, result.err
    assert [ha_place.version() for _ in range(5)] == ["1"] * 5


def down(place: HaproxyBench, server: str) -> bool:
    """True when HAProxy's own checks say that nobody is there."""
    return place.servers["app_backend", server]["srv_op_state"] == "0"


def start_again(place: HaproxyBench, version: str, port: int) -> None:
    env = {**os.environ, "PORT": str(port), "APP_VERSION": version}
    place.started.append(subprocess.Popen([sys.executable, str(APP)], env=env, stdout=subprocess.DEVNULL))
    assert eventually(lambda: net.is_listening(Endpoint("127.0.0.1", port)))


def test_force_does_not_ask(ha_place: HaproxyBench) -> None:
    ill = ha_place.instance("2", APP_BROKEN="never-healthy")
    ha_place.write(ha_place.instance("1"), green=ill, pools=CHECKED)
    ha_place.start()
    result = ha_place.run("switch", "app_backend", "app-green", "--force")
    assert (result.code, ha_place.state_of("app_backend", "app-green")) == (0, "ready"), result.err
