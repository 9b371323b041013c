"""The old side of other kinds: TCP mode, unix sockets, and an address that a live server has left."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from functools import partial

import pytest

from proxyswitch.model import Endpoint
from proxyswitch.system import net
from tests.e2e.clients import echo_server
from tests.e2e.haproxy_holders import counted, held, slow, uploading
from tests.e2e.haproxy_pairs import done, pair, states, versions
from tests.e2e.haproxy_support import CONF, POOLS, HaproxyBench
from tests.e2e.support import LIMIT, eventually
from tests.e2e.test_deploy import UNIX_APP

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

SWITCH = ("switch", "app_backend", "app-green", "--drain")
TCP = CONF.replace("mode http", "mode tcp")


@pytest.fixture
def tcp(ha_place: HaproxyBench) -> HaproxyBench:
    return pair(ha_place, conf=TCP)


def test_in_tcp_mode_each_connection_counts(tcp: HaproxyBench) -> None:
    with socket.create_connection(("127.0.0.1", tcp.port), LIMIT) as client:
        assert eventually(lambda: counted(tcp) == (1, 0))
        result = tcp.run(*SWITCH, "300ms")
        assert (result.code, "1 session on app_backend/app-blue" in result.err) == (5, True), result.err
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"X-Version: 1" in client.makefile("rb").read()
    done(tcp.run(*SWITCH, "30s"))
    assert tcp.version() == "2"


def test_in_tcp_mode_an_idle_connection_is_cut_by_force_only(tcp: HaproxyBench) -> None:
    with socket.create_connection(("127.0.0.1", tcp.port), LIMIT) as client:
        assert eventually(lambda: counted(tcp) == (1, 0))
        assert tcp.run(*SWITCH, "300ms").code == 5
        assert counted(tcp) == (1, 0)
        done(tcp.run(*SWITCH, "300ms", "--force-close"))
        assert client.recv(1) == b""


def test_the_sessions_of_a_unix_socket_server(ha_place: HaproxyBench) -> None:
    with contextlib.ExitStack() as scope:
        front = scope.enter_context(socket.socket(socket.AF_UNIX))
        front.bind(str(ha_place.folder / "old.sock"))
        front.listen()
        place = pair(ha_place, pools=POOLS.replace("127.0.0.1:{blue}", "unix@{folder}/old.sock", 2).replace("check", "", 1))
        with socket.create_connection(("127.0.0.1", place.port), LIMIT) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            server = scope.enter_context(front.accept()[0])
            assert server.recv(100).startswith(b"GET / ")
            result = place.run(*SWITCH, "300ms")
            assert (result.code, "1 session on app_backend/app-blue" in result.err) == (5, True), result.err
            command = place.spawn(*SWITCH, "60s")
            assert place.version() == "2"
            assert command.poll() is None
            server.sendall(b"HTTP/1.0 204 Fine\r\n\r\n")
            server.close()
            assert client.recv(100).startswith(b"HTTP/1.0 204 ")
            assert command.wait(LIMIT) == 0


def test_from_one_unix_socket_to_another_by_a_reload(ha_place: HaproxyBench) -> None:
    """The server keeps its name: the sessions of the old worker count, and none of the new one's."""
    app = ha_place.folder / "app.py"
    app.write_text(UNIX_APP)
    for name in ("old", "new"):
        env = {**os.environ, "SOCKET": str(ha_place.folder / f"{name}.sock"), "APP_VERSION": name}
        ha_place.started.append(subprocess.Popen([sys.executable, "-I", "-S", str(app)], env=env))
        assert eventually(partial(net.is_listening, Endpoint(path=env["SOCKET"])))
    pools = "\nbackend app_backend\n    server app unix@{folder}/old.sock\n"
    ha_place.write(1, pools=pools)
    ha_place.start()
    assert ha_place.version() == "old"
    result = done(ha_place.run("switch", "app_backend", f"unix:{ha_place.folder}/new.sock", "--drain", "20s"))
    assert (ha_place.version(), "(reload, " in result.out) == ("new", True)


# another address for a live server


def moved(place: HaproxyBench) -> tuple[str, ...]:
    """The one server of the pool is to move to a new instance, of version 3."""
    return ("switch", "app_backend", f"127.0.0.1:{place.instance('3')}", "--drain")


@pytest.fixture
def one(ha_place: HaproxyBench) -> HaproxyBench:
    return pair(ha_place, pools=POOLS.partition("    server app-green")[0])


def test_requests_at_the_address_that_a_live_server_leaves_are_waited_for(one: HaproxyBench) -> None:
    words, fetch = moved(one), slow(one, 2)
    with uploading(one) as client:
        command = one.spawn(*words, "60s")
        assert eventually(lambda: one.address_of("app_backend", "app-blue") == words[2] and not one.journals)
        assert one.version() == "3"
        assert fetch.result() == "1"
        assert command.poll() is None
        client.send("x" * 10)
        assert "x-version: 1" in client.head()
        _, err = command.communicate(timeout=LIMIT)
        assert command.returncode == 0, err


def test_new_requests_at_the_new_address_do_not_count(ha_place: HaproxyBench) -> None:
    with echo_server() as port, echo_server() as new:
        ha_place.write(port, pools=POOLS.partition("    server app-green")[0])
        ha_place.start()
        words = ("switch", "app_backend", f"127.0.0.1:{new}", "--drain")
        with held(ha_place) as client:
            result = ha_place.run(*words, "300ms", "--force-close")
            assert f"1 session at 127.0.0.1:{port}" in result.err
            assert result.code == 5
            assert client.echo("not cut") == "not cut"
            with held(ha_place) as newer:
                command = ha_place.spawn("switch", "app_backend", f"127.0.0.1:{port}", "--drain", "30s")
                assert eventually(lambda: ha_place.address_of("app_backend", "app-blue") == f"127.0.0.1:{port}")
                assert command.poll() is None
                assert newer.echo("not cut") == "not cut"
            assert command.wait(LIMIT) == 0
            assert client.echo("not cut") == "not cut"
    assert states(ha_place) == {"app-blue": "ready"}


def test_a_move_can_be_waited_for_again(ha_place: HaproxyBench) -> None:
    with echo_server() as port:
        ha_place.write(port, pools=POOLS.partition("    server app-green")[0])
        ha_place.start()
        words = moved(ha_place)
        with held(ha_place):
            assert [ha_place.run(*words, "300ms").code for _ in range(2)] == [5, 5]
        done(ha_place.run(*words, "30s"))


def test_a_connection_in_use_while_a_server_moves_is_not_used_again(one: HaproxyBench) -> None:
    """HAProxy would keep it, and send requests over it to the instance that was left."""
    words = moved(one)
    at = Endpoint("127.0.0.1", one.blue)
    fetches = [slow(one, 1) for _ in range(3)]
    assert eventually(lambda: net.connections([at])[at] == 3)
    done(one.run(*words, "20s"))
    assert [fetch.result() for fetch in fetches] == ["1"] * 3
    assert net.connections([at])[at] == 0
    assert versions(one, 12) == {"3"}
    assert one.address_of("app_backend", "app-blue") == words[2]


def test_the_way_back_of_a_moved_server_waits_for_its_own_sessions_only(one: HaproxyBench) -> None:
    words = moved(one)
    done(one.run(*words, "20s"))
    fetch = slow(one, 2)
    done(one.run("rollback", "app_backend", "--drain", "20s"))
    assert (fetch.result(), one.version()) == ("3", "1")
