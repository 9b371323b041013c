"""Waiting for the old side: requests that were under way end well, and whoever does not end is told of."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from proxyswitch.system import net, signals
from tests.e2e.clients import Fetch, echo_server, raw, upgraded
from tests.e2e.support import LIMIT, Bench, eventually


@pytest.fixture
def echo(place: Bench) -> Iterator[Bench]:
    """nginx runs, and its pool leads to a server that upgrades connections."""
    with echo_server() as port:
        place.write(port)
        place.start()
        yield place


def address(place: Bench) -> str:
    return place.run("get", "app_backend").out.strip()


def test_a_long_request_is_answered_before_the_command_ends(running: Bench) -> None:
    old, new = Endpoint.parse(address(running)), running.instance("2")
    slow = Fetch(f"http://127.0.0.1:{running.port}/slow?seconds=3")
    assert eventually(lambda: net.connections([old])[old])
    result = running.run("switch", "app_backend", f"127.0.0.1:{new}", "--drain", "30s")
    assert (result.code, running.workers.old) == (0, frozenset()), result.err
    assert slow.result() == "1"


def test_without_drain_the_command_does_not_wait(running: Bench) -> None:
    old, new = Endpoint.parse(address(running)), running.instance("2")
    slow = Fetch(f"http://127.0.0.1:{running.port}/slow?seconds=3")
    assert eventually(lambda: net.connections([old])[old])
    assert running.run("switch", "app_backend", f"127.0.0.1:{new}").code == 0
    assert running.workers.old
    assert slow.result() == "1"


def test_a_trickled_upload_holds_no_connection_to_the_old_side_and_is_waited_for(running: Bench) -> None:
    old, new = Endpoint.parse(address(running)), running.instance("2")
    with raw(running) as client:
        client.send("POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 20\r\nExpect: 100-continue\r\n\r\n")
        assert client.head() == ["HTTP/1.1 100 Continue"]
        client.send("x" * 10)
        with running.spawn("switch", "app_backend", f"127.0.0.1:{new}", "--drain", "60s") as command:
            assert eventually(lambda: running.workers.old and not running.journals)  # proven
            assert running.version() == "2"
            assert net.connections([old]) == {old: 0}
            assert command.poll() is None
            client.send("x" * 10)
            head = client.head()
            assert head[0] == "HTTP/1.1 200 OK"
            assert "X-Version: 1" in head
            client.close()
            assert command.wait(LIMIT) == 0


def test_an_upgraded_connection_is_waited_for_and_goes_on_meanwhile(echo: Bench) -> None:
    new = echo.instance("2")
    with upgraded(echo) as client:
        command = echo.spawn("switch", "app_backend", f"127.0.0.1:{new}", "--drain", "60s")
        assert eventually(lambda: echo.workers.old)
        assert client.echo("still here") == "still here"
        assert command.poll() is None
    out, err = command.communicate(timeout=LIMIT)
    assert command.returncode == 0, err
    assert f"127.0.0.1:{new}" in out


def test_a_drain_that_takes_too_long_ends_with_5_and_can_be_waited_for_again(echo: Bench) -> None:
    new = echo.instance("2")
    again = ("switch", "app_backend", f"127.0.0.1:{new}", "--drain", "300ms", "--json")
    with upgraded(echo) as client:
        first, second = echo.run(*again), echo.run(*again)
        assert client.echo("left running") == "left running"
    assert (first.code, first.json["changed"], first.json["exit"]) == (5, True, 5)
    assert first.json["to"] == [f"127.0.0.1:{new}"]
    assert "1 old nginx worker" in first.err
    assert (second.code, second.json["changed"]) == (5, False)
    assert echo.version() == "2"
    assert echo.run(*again[:-2], "30s").code == 0


def test_workers_that_a_later_reload_leaves_are_not_waited_for(echo: Bench) -> None:
    with echo_server() as other, upgraded(echo) as mine:
        command = echo.spawn("switch", "app_backend", f"127.0.0.1:{other}", "--drain", "60s", "--json")
        assert eventually(lambda: len(echo.workers.old) == 1 and not echo.journals)
        with upgraded(echo) as theirs:  # a client of the new generation, which then becomes old as well
            signals.send(echo.master, signals.HUP)
            assert eventually(lambda: len(echo.workers.old) == 2)
            mine.close()
            out, err = command.communicate(timeout=LIMIT)
            assert (command.returncode, json.loads(out)["changed"]) == (0, True), err
            assert theirs.echo("still held") == "still held"
            assert echo.workers.old


def test_too_many_old_workers_forbid_another_reload(echo: Bench) -> None:
    echo.settings("[nginx]\nmax_old_workers = 1\n")
    old, new = address(echo), echo.instance("2")
    with upgraded(echo):
        assert echo.run("switch", "app_backend", f"127.0.0.1:{new}").code == 0
        assert eventually(lambda: len(echo.workers.old) == 1)
        with echo.nothing_done():
            refused = echo.run("switch", "app_backend", old)
        assert refused.code == 2
        assert "1 old nginx workers are still shutting down" in refused.err
        assert "max_old_workers" in refused.err
    assert eventually(lambda: not echo.workers.old)
    assert echo.run("switch", "app_backend", old).code == 0


def test_drain_of_one_server_waits_for_its_last_request(running: Bench) -> None:
    old, new = Endpoint.parse(address(running)), running.instance("2")
    slow = Fetch(f"http://127.0.0.1:{running.port}/slow?seconds=2")
    assert eventually(lambda: net.connections([old])[old])
    running.pools.write_text(running.pools.read_text().replace("}", f"    server 127.0.0.1:{new};\n}}"))
    result = running.run("drain", f"app_backend/{old}", "--timeout", "30s")
    assert (result.code, running.workers.old) == (0, frozenset()), result.err
    assert slow.result() == "1"
    assert running.version() == "2"


def test_ten_switches_under_load_fail_no_request(running: Bench) -> None:
    load = Load(Endpoint("127.0.0.1", running.port), keepalive=2, closing=1, idle=1, long=2, uploads=1, long_seconds=1.0)
    with load:
        for number in range(2, 12):
            old = running.started[-1]
            new = running.instance(str(number))
            result = running.run("switch", "app_backend", f"127.0.0.1:{new}", "--drain", "30s")
            assert result.code == 0, result.err
            old.kill()  # the drain is over: nothing may need it any more
        assert eventually(lambda: "11" in load.summary().by_version)
    seen = load.stop()
    assert seen.failures == 0, seen.errors
    assert set(seen.by_version) == {str(n) for n in range(1, 12)}
