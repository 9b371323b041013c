"""`deploy` with `strategy = "rolling"`: one slot after the other, never too few, all back when one fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from proxyswitch.system import signals
from tests.e2e.haproxy_support import HaproxyBench
from tests.e2e.shop import Shop, shop, wait
from tests.e2e.support import Bench
from tests.ports import free_port

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

HA_POOL = """\

backend app_backend
    server one 127.0.0.1:{blue} check inter 200ms disabled
    server two 127.0.0.1:{green} check inter 200ms disabled
    server three 127.0.0.1:{third} check inter 200ms disabled
    server spare 127.0.0.1:{spare}
"""
NGINX_POOL = """\
upstream app_backend {{
    server 127.0.0.1:{blue};
    server 127.0.0.1:GREEN;
    server 127.0.0.1:THIRD;
}}
"""


def fleet(made: Shop, third: int, **changes: Any) -> None:
    slots = {"a": f"127.0.0.1:{made.blue}", "b": f"127.0.0.1:{made.green}", "c": f"127.0.0.1:{third}"}
    made.configure(slots=slots, strategy="rolling", **changes)


def versions(made: Shop) -> dict[str, str]:
    """The version in each slot that runs, as `status` says."""
    result = made.run("status", "web", "--json")
    (one,) = json.loads(result.out)["apps"]
    return {slot["slot"]: slot["version"] for slot in one["slots"] if slot["running"]}


@pytest.fixture
def ha(ha_place: HaproxyBench) -> Iterator[Shop]:
    """Three slots of a pool of HAProxy, version 1 in all of them; nothing else serves."""
    third = free_port()
    with shop(ha_place, "haproxy") as made:
        ha_place.write(made.blue, pools=HA_POOL, green=made.green, third=third, spare=free_port())
        ha_place.reload()
        fleet(made, third)
        made.deploy("1")
        result = made.run("set", "app_backend/spare", "maint")
        assert result.code == 0, result.err
        yield made


@pytest.fixture
def nginx(place: Bench) -> Iterator[Shop]:
    """The same behind nginx."""
    third = free_port()
    with shop(place) as made:
        place.write(made.blue, pools=NGINX_POOL.replace("GREEN", str(made.green)).replace("THIRD", str(third)))
        signals.send(place.master, signals.number("HUP"))
        wait(lambda: "1" in (place.run("show", "app_backend", "--json").out))
        fleet(made, third)
        for slot in ("a", "b", "c"):
            result = made.run("start", f"web:{slot}", "--version", "1")
            assert result.code == 0, result.err
        yield made


ALL = ("a", "b", "c")


def test_no_request_fails(ha: Shop) -> None:
    assert versions(ha) == dict.fromkeys(ALL, "1")
    conf = ha.bench.conf.read_text()
    with Load(Endpoint("127.0.0.1", ha.bench.port), long_seconds=0.5, limit=60) as load:
        wait(lambda: load.summary().requests > 100)
        ha.deploy("2")
        wait(lambda: load.summary().by_version.get("2", 0) > 100)
    seen = load.summary()
    assert (seen.failures, seen.reused_closed) == (0, 0), seen.errors
    assert versions(ha) == dict.fromkeys(ALL, "2")
    assert ha.bench.conf.read_text().split() == conf.split()
    assert ha.journals() == []


def test_it_is_there_already(ha: Shop) -> None:
    before = ha.snapshot()
    result = ha.deploy("1")
    assert (result.out, result.err) == ("", "")
    assert ha.snapshot() == before


@pytest.mark.parametrize("batch", ["2", "3"])
def test_several_at_a_time(ha: Shop, batch: str) -> None:
    if batch == "3":
        result = ha.deploy("2", "--batch", batch, code=2)
        assert "with 3 out at a time fewer than 1 would serve" in result.err
        assert versions(ha) == dict.fromkeys(ALL, "1")
    else:
        ha.deploy("2", "--batch", batch)
        assert versions(ha) == dict.fromkeys(ALL, "2")


def test_capacity_is_kept(ha: Shop) -> None:
    fleet(ha, third_of(ha), rolling={"batch": 2, "min_ready": 2})
    result = ha.deploy("2", code=2)
    assert "fewer than 2 would serve" in result.err
    assert "nothing was changed" in result.err


def third_of(made: Shop) -> int:
    """The port of the third slot, as the config has it."""
    line = next(line for line in made.bench.conf.read_text().splitlines() if "server three" in line)
    return int(line.split()[2].rpartition(":")[2])


def test_a_version_that_fails_leaves_the_old_everywhere(ha: Shop) -> None:
    conf = ha.bench.conf.read_text()
    ha.configure(
        slots={"a": f"127.0.0.1:{ha.blue}", "b": f"127.0.0.1:{ha.green}", "c": f"127.0.0.1:{third_of(ha)}"},
        strategy="rolling",
        hooks={"after_switch": "false"},  # when all of them are new
    )
    with Load(Endpoint("127.0.0.1", ha.bench.port), long_seconds=0.5, limit=90) as load:
        wait(lambda: load.summary().requests > 100)
        result = ha.deploy("2", code=3)
    seen = load.summary()
    assert seen.failures == 0, seen.errors
    assert "everything is as before" in result.err
    assert versions(ha) == dict.fromkeys(ALL, "1")
    assert ha.bench.conf.read_text() == conf
    assert ha.journals() == []


def test_an_ill_version_stops_at_the_first(ha: Shop) -> None:
    fleet(ha, third_of(ha), total="2s")
    result = ha.deploy("2-ill", code=3)
    assert "was not healthy" in result.err
    assert versions(ha) == dict.fromkeys(ALL, "1")
    assert ha.bench.version() == "1"


def test_a_kill_in_the_middle_is_taken_back(ha: Shop) -> None:
    conf = ha.bench.conf.read_text()
    running = ha.spawn("2")
    wait(lambda: len(set(versions(ha).values())) == 2)
    running.kill()
    running.communicate()
    result = ha.run("recover")
    assert result.code == 0, result.err
    assert versions(ha) == dict.fromkeys(ALL, "1")
    assert ha.bench.conf.read_text().split() == conf.split()
    assert ha.bench.version() == "1"


def test_rollback(ha: Shop) -> None:
    ha.deploy("2")
    result = ha.run("rollback", "web")
    assert result.code == 0, result.err
    assert versions(ha) == dict.fromkeys(ALL, "1")


def test_behind_nginx(nginx: Shop) -> None:
    before = nginx.bench.pools.read_text()
    nginx.deploy("2")
    assert versions(nginx) == dict.fromkeys(ALL, "2")
    assert nginx.bench.pools.read_text() == before
