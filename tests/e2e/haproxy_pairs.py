"""An HAProxy with two instances, blue that serves and green that is disabled, and what tests of its pools often ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.haproxy_support import CONF, POOLS, HaproxyBench
from tests.e2e.support import Run

BLUE, GREEN = ("app_backend", "app-blue"), ("app_backend", "app-green")


def pair(place: HaproxyBench, conf: str = CONF, pools: str = POOLS, *, master: bool = True, **words: object) -> HaproxyBench:
    """Start HAProxy with both instances there: version 1 is blue, version 2 green."""
    place.write(place.instance("1"), conf=conf, pools=pools, green=place.instance("2"), **words)
    place.start(master=master)
    return place


def states(place: HaproxyBench, backend: str = "app_backend") -> dict[str, str]:
    """The state of each server, as HAProxy says it."""
    return {server: place.state_of(name, server) for name, server in place.servers if name == backend}


def versions(place: HaproxyBench, count: int = 6) -> set[str]:
    """Which versions answer through HAProxy."""
    return {place.version() for _ in range(count)}


def shown(place: HaproxyBench, *words: str, pool: str = "app_backend") -> dict[str, dict[str, Any]]:
    """What `show --json` says of the servers of a pool, by their names."""
    pools = place.run("show", "--json", *words).json["pools"]
    return {s["name"]: s for p in pools if p["name"] == pool for s in p["servers"]}


def differences(place: HaproxyBench, backend: str = "app_backend") -> dict[str, list[str]]:
    """What `show` says of servers that run otherwise than the files say."""
    return {name: s["differs"] for name, s in shown(place, pool=backend).items() if s["differs"]}


def done(result: Run) -> Run:
    """The command ended well."""
    assert result.code == 0, f"{result.code}\n{result.out}{result.err}"
    return result


def again(place: HaproxyBench, *words: str) -> None:
    """The same command again is silent, and does nothing."""
    with place.nothing_done():
        result = place.run(*words)
    assert (result.code, result.out, result.err) == (0, "", "")


def lasts(place: HaproxyBench, backend: str = "app_backend") -> None:
    """File and process agree, and what runs is the same after a reload and a restart, neither of which is proxyswitch's."""
    before = facts(place, backend)
    assert differences(place, backend) == {}
    place.reload()
    assert facts(place, backend) == before, "after a reload"
    place.restart()
    assert facts(place, backend) == before, "after a restart"
    assert differences(place, backend) == {}


def facts(place: HaproxyBench, backend: str = "app_backend") -> dict[str, tuple[bool, int, str]]:
    """Of each server whether it takes traffic, its weight and address. How it is out is for the running process to know."""
    found = {}
    for name, server in place.servers:
        if name == backend:
            ready = place.state_of(name, server) == "ready"
            found[server] = (ready, place.weight_of(name, server), place.address_of(name, server))
    return found


@contextmanager
def same_workers(place: HaproxyBench) -> Iterator[None]:
    """What runs inside must not reload."""
    workers = place.workers_now
    yield
    assert place.workers_now == workers
