"""The old side of a pool in instant mode: what is waited for, and that it can be stopped then."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from proxyswitch.proxies import nginx_flags
from proxyswitch.system import net
from tests.e2e.clients import UPGRADE, Raw, echo_server
from tests.e2e.instant_support import CONF_INSTANT, POOLS_INSTANT, InstantBench
from tests.e2e.support import APP, LIMIT, eventually
from tests.e2e.test_deploy import UNIX_APP

pytest_plugins = ["tests.e2e.instant_fixtures"]

SWITCH = ("switch", "app_backend", "green", "--drain")


@contextlib.contextmanager
def under_way(place: InstantBench, seconds: float) -> Iterator[socket.socket]:
    """A request that blue answers after so many seconds."""
    with socket.create_connection(("127.0.0.1", place.port), LIMIT) as client:
        client.sendall(f"GET /slow?seconds={seconds} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        assert eventually(partial(held, place))
        yield client


def held(place: InstantBench) -> int:
    at = Endpoint("127.0.0.1", place.blue)
    return net.connections([at])[at]


def test_a_request_under_way_is_waited_for(instant: InstantBench) -> None:
    with under_way(instant, 2) as client:
        command = instant.spawn(*SWITCH, "30s")
        assert eventually(lambda: instant.flag == "pct-100")
        assert instant.version() == "2"
        assert command.poll() is None
        assert b"X-Version: 1" in client.makefile("rb").read()
        assert command.wait(LIMIT) == 0


def test_what_is_left_when_time_is_up(instant: InstantBench) -> None:
    with under_way(instant, 5):
        result = instant.run(*SWITCH, "300ms")
        assert (result.code, f"1 connection to {instant.addresses[0]}" in result.err) == (5, True), result.err
        assert instant.flag == "pct-100"
        result = instant.run("drain", "app_backend/blue", "--timeout", "300ms")
        assert (result.code, f"1 connection to {instant.addresses[0]}" in result.err) == (5, True), result.err
    assert instant.run(*SWITCH, "30s").code == 0


def test_a_websocket_is_waited_for(blank: InstantBench) -> None:
    with echo_server() as port:
        blank.set_up()
        text = blank.pools.read_text()
        blank.pools.write_text(text.replace(f"127.0.0.1:{blank.blue}", f"127.0.0.1:{port}"))
        blank.end()
        blank.start()
        client = Raw(blank.port)
        client.send(UPGRADE)
        assert " 101 " in client.head()[0]
        result = blank.run(*SWITCH, "1s")
        assert (result.code, "1 connection to" in result.err) == (5, True), result.err
        assert client.echo("here") == "here"
        client.close()
        assert blank.run(*SWITCH, "30s").code == 0


def test_an_upload_that_nginx_still_buffers_goes_to_the_other_slot(instant: InstantBench) -> None:
    """It has no connection to the old side, and was promised to it: the backup catches it."""
    with socket.create_connection(("127.0.0.1", instant.port), LIMIT) as client:
        client.sendall(b"POST /upload HTTP/1.0\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf ")
        assert instant.version() == "1"
        assert instant.run(*SWITCH, "30s").code == 0
        instant.started[0].kill()
        instant.started[0].wait()
        client.sendall(b"other")
        assert b"X-Version: 2" in client.makefile("rb").read()


def test_connections_of_others_do_not_hold_it(instant: InstantBench) -> None:
    """A monitor that keeps a connection to the old instance is no request of a client's."""
    with socket.create_connection(("127.0.0.1", instant.blue), LIMIT):
        assert instant.run(*SWITCH, "20s").code == 0


@pytest.mark.timeout(120)
def test_the_old_side_can_be_killed_after_each_drain(instant: InstantBench) -> None:
    """Six switches under load; each time the old instance is stopped and started anew. No request fails."""
    kinds = {"keepalive": 3, "closing": 2, "idle": 2, "long": 2, "uploads": 1}
    with Load(Endpoint("127.0.0.1", instant.port), **kinds, long_seconds=0.7) as load:
        for number in range(6):
            slot = ("green", "blue")[number % 2]
            result = instant.run("switch", "app_backend", slot, "--drain", "30s")
            assert result.code == 0, result.err
            replace(instant, number)
    seen = load.stop()
    assert (seen.failures, seen.reused_closed) == (0, 0), (seen.by_kind, seen.errors)
    assert min(seen.by_request[kind]["ok"] for kind in ("long", "upload", "idle keep-alive")) > 3


def replace(place: InstantBench, number: int) -> None:
    """Stop the side that has drained, and start a new version at its address."""
    index, port = (0, place.blue) if number % 2 == 0 else (1, place.green)
    place.started[index].kill()
    place.started[index].wait()
    env = {**os.environ, "PORT": str(port), "APP_VERSION": str(number + 3)}
    place.started[index] = subprocess.Popen([sys.executable, str(APP)], env=env, stderr=subprocess.DEVNULL)
    assert eventually(partial(net.is_listening, Endpoint("127.0.0.1", port)))


def test_slots_on_unix_sockets(blank: InstantBench) -> None:
    """Connections to the path of the old side are counted there too."""
    apps = {}
    for slot in ("blue", "green"):
        apps[slot] = blank.folder / f"{slot}.sock"
        env = {**os.environ, "SOCKET": str(apps[slot]), "APP_VERSION": slot}
        (blank.folder / "app.py").write_text(UNIX_APP)
        argv = [sys.executable, "-I", "-S", str(blank.folder / "app.py")]
        blank.started.append(subprocess.Popen(argv, env=env, stderr=subprocess.DEVNULL))
        assert eventually(partial(net.is_listening, Endpoint(path=str(apps[slot]))))
    pools = POOLS_INSTANT.replace("127.0.0.1:{blue}", f"unix:{apps['blue']}").replace(
        "127.0.0.1:{green}", f"unix:{apps['green']}"
    )
    conf = CONF_INSTANT.replace("{flags}", str(blank.flags)).replace("{key}", blank.key)
    blank.write(0, conf, pools)
    nginx_flags.make(str(blank.flags), 0)
    blank.start()
    assert blank.version() == "blue"
    with socket.socket(socket.AF_UNIX) as held_by_nobody:
        held_by_nobody.connect(str(apps["blue"]))
        result = blank.run("switch", "app_backend", f"unix:{apps['green']}", "--drain", "500ms")
        assert (result.code, f"1 connection to unix:{apps['blue']}" in result.err) == (5, True), result.err
    assert blank.run("switch", "app_backend", "green", "--drain", "20s").code == 0
    assert blank.version() == "green"


def test_slots_on_ipv6(blank: InstantBench) -> None:
    with contextlib.ExitStack() as scope:
        ports = {}
        for slot in ("blue", "green"):
            server = scope.enter_context(SlowV6(("::1", 0), SlowAnswer))
            server.slot = slot
            scope.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            ports[slot] = server.server_address[1]
        pools = POOLS_INSTANT.replace("127.0.0.1:{blue}", f"[::1]:{ports['blue']}").replace(
            "127.0.0.1:{green}", f"[::1]:{ports['green']}"
        )
        conf = CONF_INSTANT.replace("{flags}", str(blank.flags)).replace("{key}", blank.key)
        blank.write(0, conf, pools)
        nginx_flags.make(str(blank.flags), 0)
        blank.start()
        with socket.create_connection(("127.0.0.1", blank.port), LIMIT) as client:
            client.sendall(b"GET /slow HTTP/1.0\r\nHost: x\r\n\r\n")
            at = Endpoint("::1", ports["blue"])
            assert eventually(lambda: net.connections([at])[at])
            result = blank.run("switch", "app_backend", f"[::1]:{ports['green']}", "--drain", "300ms")
            assert (result.code, f"1 connection to [::1]:{ports['blue']}" in result.err) == (5, True), result.err
            assert b"X-Version: blue" in client.makefile("rb").read()
        assert blank.run("switch", "app_backend", "green", "--drain", "20s").code == 0
        assert blank.version() == "green"


class SlowV6(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    slot = ""


class SlowAnswer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(2)
        self.send_response(200)
        self.send_header("X-Version", getattr(self.server, "slot", ""))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass
