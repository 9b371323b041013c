"""Waiting for the old side of a HAProxy pool: its sessions and its queue, and nobody else's."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator

import pytest

from proxyswitch.proxies.base import Options
from proxyswitch.proxies.haproxy import Haproxy
from proxyswitch.release import draining
from proxyswitch.release.world import World
from proxyswitch.settings import Settings
from tests.e2e.clients import Fetch, echo_server
from tests.e2e.haproxy_holders import aged, counted, held, slow, uploading
from tests.e2e.haproxy_pairs import BLUE, done, pair, states
from tests.e2e.haproxy_support import POOLS, HaproxyBench
from tests.e2e.support import LIMIT, eventually
from tests.ports import free_port

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

SWITCH = ("switch", "app_backend", "app-green", "--drain")


@pytest.fixture
def both(ha_place: HaproxyBench) -> HaproxyBench:
    return pair(ha_place)


@pytest.fixture
def echo(ha_place: HaproxyBench) -> Iterator[HaproxyBench]:
    """app-blue upgrades connections; app-green is an app of version 2."""
    with echo_server() as port:
        ha_place.write(port, green=ha_place.instance("2"))
        ha_place.start()
        yield ha_place


def test_a_long_request_is_answered_before_the_command_ends(both: HaproxyBench) -> None:
    fetch = slow(both, 4)
    done(both.run(*SWITCH, "30s"))
    assert counted(both) == (0, 0)
    assert fetch.result() == "1"
    assert both.version() == "2"


def test_without_drain_the_command_does_not_wait(both: HaproxyBench) -> None:
    fetch = slow(both, 1.5)
    done(both.run("switch", "app_backend", "app-green"))
    assert counted(both) == (1, 0)
    assert fetch.result() == "1"


def test_a_slow_upload_is_waited_for(both: HaproxyBench) -> None:
    with uploading(both) as client:
        command = both.spawn(*SWITCH, "60s")
        assert eventually(lambda: states(both)["app-blue"] == "drain" and not both.journals)
        assert both.version() == "2"
        assert command.poll() is None
        client.send("x" * 10)
        head = client.head()
        assert (head[0], "x-version: 1" in head) == ("HTTP/1.1 200 OK", True)
        assert command.wait(LIMIT) == 0


def test_a_websocket_is_waited_for_and_goes_on_meanwhile(echo: HaproxyBench) -> None:
    with held(echo) as client:
        command = echo.spawn(*SWITCH, "60s")
        assert eventually(lambda: states(echo)["app-blue"] == "drain" and not echo.journals)
        assert client.echo("still here") == "still here"
        assert command.poll() is None
    out, err = command.communicate(timeout=LIMIT)
    assert (command.returncode, out.startswith("app_backend: app-blue → app-green (runtime, ")) == (0, True), err


def test_an_idle_client_is_not_waited_for_and_its_next_request_goes_to_the_new_side(both: HaproxyBench) -> None:
    client = http.client.HTTPConnection("127.0.0.1", both.port, timeout=LIMIT)
    seen = []
    for _ in range(2):
        client.request("GET", "/")
        answer = client.getresponse()
        answer.read()
        seen.append((answer.getheader("X-Version"), client.sock.getsockname()))
        done(both.run(*SWITCH, "20s"))
    client.close()
    assert [version for version, _ in seen] == ["1", "2"]
    assert seen[0][1] == seen[1][1]  # over the very same connection


NAMESAKES = """
frontend others
    bind 127.0.0.1:{door}
    default_backend other_backend

backend other_backend
    server app-blue 127.0.0.1:{echo}
    server app-green 127.0.0.1:{echo} disabled
"""


def test_sessions_of_namesakes_do_not_count(ha_place: HaproxyBench) -> None:
    door = free_port()
    pools = POOLS.replace("    server app-green", "    server app-blue2 127.0.0.1:{echo}\n    server app-green")
    with echo_server() as port:
        place = pair(ha_place, pools=pools + NAMESAKES, echo=port, door=door)
        place.tell("set server app_backend/app-blue state drain")
        with held(place, server="app-blue2") as longer, held(place, "other_backend", port=door) as elsewhere:
            place.tell("set server app_backend/app-blue state ready")
            done(place.run("drain", "app_backend/app-blue", "--timeout", "5s"))
            assert counted(place, server="app-blue2") == counted(place, "other_backend") == (1, 0)
            assert [longer.echo("not cut"), elsewhere.echo("not cut")] == ["not cut"] * 2
            assert place.run("drain", "app_backend/app-blue2", "--timeout", "200ms", "--force").code == 5


QUEUE = POOLS.replace("{blue} check", "{blue} maxconn 1 check")
OWN_QUEUE = QUEUE.replace("backend app_backend\n", "backend app_backend\n    balance source\n")


def test_who_stands_in_its_queue_counts(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=OWN_QUEUE)
    first, second = slow(place, 2), slow(place, 1)
    assert counted(place) == (1, 1)
    done(place.run(*SWITCH, "30s"))
    assert counted(place) == (0, 0)
    assert [first.result(), second.result()] == ["1", "1"]


def test_its_queue_is_counted_among_what_is_left(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=OWN_QUEUE)
    fetches = [slow(place, 2), slow(place, 0)]
    result = place.run(*SWITCH, "200ms")
    assert (result.code, "2 sessions on app_backend/app-blue" in result.err) == (5, True), result.err
    assert [f.result() for f in fetches] == ["1", "1"]


def test_who_waits_for_any_server_goes_to_the_new_one_at_once(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=QUEUE)
    first, second = slow(place, 2), Fetch(f"http://127.0.0.1:{place.port}/")
    assert eventually(lambda: counted(place, server="BACKEND")[1])
    assert counted(place) == (1, 0)
    command = place.spawn(*SWITCH, "30s")
    assert second.result() == "2"
    assert command.poll() is None
    assert (first.result(), command.wait(LIMIT)) == ("1", 0)


def test_a_drain_that_takes_too_long_says_what_is_left_and_can_be_waited_for_again(echo: HaproxyBench) -> None:
    again = (*SWITCH, "300ms", "--json")
    with held(echo) as client, held(echo):
        assert eventually(lambda: aged(echo))
        first, second = echo.run(*again), echo.run(*again)
        assert client.echo("left running") == "left running"
    for result, changed in ((first, True), (second, False)):
        assert (result.code, result.json["changed"], result.json["exit"]) == (5, changed, 5)
        assert re.search(r"2 sessions on app_backend/app-blue \(the oldest for [\d.]+ s\)", result.err), result.err
        assert "run the same command again to wait on" in result.err
    assert first.json["to"] == ["app-green"]
    assert (echo.version(), states(echo)["app-blue"]) == ("2", "drain")
    assert echo.started[-1].poll() is None
    done(echo.run(*again[:-2], "30s"))


def test_force_close_cuts_when_time_is_up(echo: HaproxyBench) -> None:
    with held(echo) as client:
        result = echo.run(*SWITCH, "500ms", "--force-close", "--json")
        assert (result.code, result.json["changed"]) == (0, True), result.err
        assert "time is up: the sessions on app_backend/app-blue are ended" in result.err
        assert client.lines.readline() == b""
    assert counted(echo) == (0, 0)
    assert echo.version() == "2"


def test_force_close_cuts_nobody_who_ends_in_time(both: HaproxyBench) -> None:
    fetch = slow(both, 1.5)
    result = done(both.run(*SWITCH, "30s", "--force-close"))
    assert (fetch.result(), result.err) == ("1", "")


def test_force_close_spares_the_new_side_and_other_servers(echo: HaproxyBench) -> None:
    with echo_server() as port:
        echo.write(echo.blue, green=port)
        echo.reload()
        with held(echo) as old:
            done(echo.run("switch", "app_backend", "app-green"))
            with held(echo, server="app-green") as new:
                assert echo.run(*SWITCH, "300ms", "--force-close").code == 0
                assert new.echo("spared") == "spared"
            assert old.lines.readline() == b""


def test_drain_of_one_server_waits_for_its_last_request(ha_place: HaproxyBench) -> None:
    place = pair(ha_place, pools=POOLS.replace(" disabled", ""))
    place.tell("set server app_backend/app-green weight 0")
    fetch = slow(place, 2)
    place.tell("set server app_backend/app-green weight 1")
    done(place.run("drain", "/".join(BLUE), "--timeout", "30s"))
    assert (fetch.result(), place.version(), states(place)["app-blue"]) == ("1", "2", "drain")


def test_what_is_waited_for_is_said_every_ten_seconds(echo: HaproxyBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that each pause moves on by as long as it is."""
    with held(echo) as client:
        done(echo.run("switch", "app_backend", "app-green"))
        assert eventually(lambda: aged(echo))
        said: list[str] = []
        moment = [0.0]
        proxy = Haproxy(Options(str(echo.conf)))
        with monkeypatch.context() as patch:
            patch.setattr("proxyswitch.system.clock.now", lambda: moment[0])
            patch.setattr("proxyswitch.release.draining.clock.sleep", lambda s: moment.__setitem__(0, moment[0] + s))
            left = draining.wait(World(Settings(), report=said.append), proxy, proxy.leftovers("app_backend"), 35)
        assert left is not None
        assert left.count == 1
        assert client.echo("there") == "there"
    assert [re.sub(r"[\d.]+ s\)", "N s)", line) for line in said] == [
        f"draining for {n} s: 1 session on app_backend/app-blue (the oldest for N s)" for n in (10, 20, 30)
    ], said
