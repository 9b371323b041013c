"""Switches under load: clients of every kind, none of which ever tries a request again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from proxyswitch.demo.load import Load, Summary
from proxyswitch.model import Endpoint
from tests.e2e.clients import UPGRADE, Raw, echo_server
from tests.e2e.haproxy_holders import Keeper
from tests.e2e.haproxy_pairs import done, pair, states
from tests.e2e.haproxy_support import CONF, POOLS, HaproxyBench
from tests.e2e.support import LIMIT, eventually

pytest_plugins = ["tests.e2e.haproxy_fixtures"]


@pytest.fixture(autouse=True)
def _shorter_uploads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each drain waits for one; what matters is that they are under way at each switch."""
    if "chaos" not in request.keywords:
        monkeypatch.setattr("proxyswitch.demo.load.CHUNK_PAUSE", 0.05)


# requests of `/socket` go to servers of the same names in a pool of its own, which is switched along
SOCKETS = CONF.replace("frontend www\n", "frontend www\n    use_backend sockets if { path /socket }\n")
IDLE = SOCKETS.replace("frontend www\n", "frontend www\n    option idle-close-on-response\n")
TWO = (
    POOLS
    + """
backend sockets
    server app-blue 127.0.0.1:{first} check inter 200ms
    server app-green 127.0.0.1:{second} check inter 200ms disabled
"""
)


class Sockets:
    """Websockets that are opened one after the other, stay open for a while, and must give back each line meanwhile."""

    def __init__(self, port: int, keep: int = 3) -> None:
        self.port, self.keep = port, keep
        self.opened, self.lines = 0, 0
        self.errors: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        clients: list[Raw] = []
        try:
            while not self._end.is_set():
                clients.append(self._open())
                if len(clients) > self.keep:
                    clients.pop(0).close()
                for client in clients:
                    self._echo(client)
                self._end.wait(0.05)
        except OSError as error:
            self.errors.append(repr(error))
        finally:
            for client in clients:
                client.close()

    def _open(self) -> Raw:
        client = Raw(self.port)
        client.send(UPGRADE)
        head = client.head()
        if not head or " 101 " not in head[0]:
            self.errors.append(f"opened: {head}")
        self.opened += 1
        return client

    def _echo(self, client: Raw) -> None:
        if client.echo("here") != "here":
            self.errors.append("a line did not come back")
        self.lines += 1


@contextmanager
def sockets(port: int) -> Iterator[Sockets]:
    made = Sockets(port)
    made._thread.start()
    try:
        yield made
    finally:
        made._end.set()
        made._thread.join(LIMIT)


@contextmanager
def served(place: HaproxyBench, conf: str, seconds: float = 0.6) -> Iterator[tuple[Load, Sockets]]:
    """Apps, echo servers, and clients of all of them."""
    with contextlib.ExitStack() as scope:
        first, second = (scope.enter_context(echo_server()) for _ in range(2))
        pair(place, conf=conf, pools=TWO, first=first, second=second)
        kinds = {"keepalive": 2, "closing": 1, "idle": 2, "long": 2, "uploads": 1}
        load = Load(Endpoint("127.0.0.1", place.port), **kinds, long_seconds=seconds, limit=300 + 60 * seconds)
        held = scope.enter_context(sockets(place.port))
        with load:
            assert eventually(lambda: load.summary().by_request.get("long", {}).get("ok"))
            yield load, held


def switch(place: HaproxyBench, number: int, *words: str) -> None:
    """To and fro, and wait for the old side each time."""
    target = ("app-green", "app-blue")[number % 2]
    # the pool of the websockets now and then
    for pool in ("app_backend", "sockets")[: 1 + (number % 10 < 4)]:
        done(place.run("switch", pool, target, "--drain", "30s", *words))
    assert states(place)[target] == "ready"


def clean(load: Load, held: Sockets) -> Summary:
    """No request failed, not even one over a kept connection, and no websocket was cut."""
    seen = load.stop()
    assert (seen.failures, seen.reused_closed) == (0, 0), (seen.by_request, seen.errors)
    assert held.errors == []
    assert set(seen.by_version) == {"1", "2"}
    assert min(seen.by_request[kind]["ok"] for kind in ("long", "upload", "idle keep-alive")) > 3
    assert held.opened > 10
    return seen


def test_twenty_switches_at_runtime_fail_no_request(ha_place: HaproxyBench) -> None:
    with served(ha_place, SOCKETS) as (load, held):
        workers = ha_place.workers_now
        for number in range(20):
            switch(ha_place, number)
        assert ha_place.workers_now == workers
    clean(load, held)


def test_four_switches_by_reload_fail_no_request_with_idle_close_on_response(ha_place: HaproxyBench) -> None:
    with served(ha_place, IDLE) as (load, held):
        before = ha_place.workers_now
        for number in range(4):
            switch(ha_place, number, "--mode", "reload")
        assert not ha_place.workers_now & before
    clean(load, held)


def who_is_in(place: HaproxyBench) -> set[tuple[str, str]]:
    return {key for key in place.servers if place.state_of(*key) == "ready"}


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_twenty_switches_with_requests_of_eight_seconds_and_a_reload_after_each(ha_place: HaproxyBench) -> None:
    """The same at full length. Somebody reloads HAProxy after each: what was switched stays switched."""
    with served(ha_place, IDLE, 8.0) as (load, held):
        for number in range(20):
            switch(ha_place, number)
            before = who_is_in(ha_place)
            ha_place.reload()
            assert who_is_in(ha_place) == before
    clean(load, held)


def test_the_old_side_can_be_killed_after_each_drain(ha_place: HaproxyBench) -> None:
    """Each time another instance, as in a release; the one before is gone at once."""
    place = pair(ha_place)
    with Load(Endpoint("127.0.0.1", place.port), keepalive=2, closing=1, idle=2, long=2, long_seconds=1.0) as load:
        for number in range(3, 6):
            old = place.started[0] if number == 3 else place.started[-1]
            new = place.instance(str(number))
            done(place.run("switch", "app_backend", f"127.0.0.1:{new}", "--drain", "30s"))
            old.kill()
            old.wait()
        assert eventually(lambda: "5" in load.summary().by_version)
    seen = load.stop()
    assert (seen.failures, seen.reused_closed) == (0, 0), seen.errors
    assert set(seen.by_version) == {"1", "3", "4", "5"}


def test_what_is_not_waited_for_is_seen_to_fail(ha_place: HaproxyBench) -> None:
    """The load would tell: without a drain the requests under way are lost with the old side."""
    place = pair(ha_place)
    with Load(Endpoint("127.0.0.1", place.port), keepalive=1, closing=0, idle=0, long=2, long_seconds=2.0) as load:
        assert eventually(lambda: load.summary().requests > 20)
        done(place.run("switch", "app_backend", "app-green"))
        place.started[0].kill()
    assert load.stop().by_request["long"].get("ok", 0) < sum(load.stop().by_request["long"].values())


def serves(client: Keeper, version: str) -> bool:
    return client.latest == version


def test_a_client_with_a_cookie_over_several_switches(ha_place: HaproxyBench) -> None:
    cookies = POOLS.replace("check inter", "cookie {blue} check inter", 1).replace("green} check", "green} cookie g check")
    place = pair(
        ha_place, pools=cookies.replace("backend app_backend\n", "backend app_backend\n    cookie S insert indirect\n")
    )
    with Keeper(place) as client:
        for number in range(3):
            done(place.run("switch", "app_backend", ("app-green", "app-blue")[number % 2], "--drain", "1s"))
            assert eventually(partial(serves, client, "21"[number % 2]))
    assert client.errors == []
