"""Websockets: held and echoed, and however one ends before its time, that is a cut."""

from __future__ import annotations

import socket

import pytest

from proxyswitch.model import Endpoint
from tests.load.http1 import connector
from tests.load.servers import LONG, Handle, read_head, reset_at_close, serving
from tests.load.websocket import WebSocket
from tests.ports import free_port

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Version: 7\r\n\r\n"


def echo(times: int, *, reset: bool = False, wrong: bool = False) -> Handle:
    """Upgrade, give back so many lines, and take one more without an answer."""

    def handle(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(SWITCHED)
        for _ in range(times):
            data = sock.recv(100)
            if not data:
                return
            sock.sendall(b"something else\n" if wrong else data)
        sock.recv(100)
        if reset:
            reset_at_close(sock)

    return handle


def ask(handle: Handle, hold: float = LONG, timeout: float = LONG) -> tuple[str, str, list[str]]:
    """Kind and version of one websocket, and the versions that were heard."""
    heard: list[str] = []
    with serving(handle) as server:
        found = WebSocket(connector(server.address, timeout), lambda _: False, hold, heard.append).request()
    return found.kind, found.version, heard


def test_one_that_is_held_to_its_end() -> None:
    kind, version, heard = ask(echo(10**6), hold=0.2)
    assert (kind, version) == ("ok", "7")
    assert len(heard) > 1
    assert set(heard) == {"7"}


def test_the_end_of_the_load_ends_it() -> None:
    with serving(echo(1)) as server:
        socket_ = WebSocket(connector(server.address, LONG), lambda _: True, LONG, lambda _: None)
        assert socket_.request().kind == "ok"


@pytest.mark.parametrize("handle", [echo(2), echo(2, reset=True), echo(10**6, wrong=True)])
def test_any_cut_counts(handle: Handle) -> None:
    kind, version, heard = ask(handle, hold=2.0)
    assert (kind, version) == ("websocket cut", "7")
    assert len(heard) < 3


def test_an_echo_that_never_comes_is_a_cut() -> None:
    def handle(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(SWITCHED)
        while sock.recv(100):
            pass

    assert ask(handle, timeout=0.3)[:2] == ("websocket cut", "7")


@pytest.mark.parametrize(
    ("answer", "reset", "kind"),
    [
        (b"", False, "closed"),
        (b"", True, "reset"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", False, "http 502"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", False, "http 200"),
    ],
)
def test_no_upgrade(answer: bytes, reset: bool, kind: str) -> None:
    def handle(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(answer)
        if reset:
            reset_at_close(sock)

    assert ask(handle)[0] == kind


def test_nobody_listens() -> None:
    connect = connector(Endpoint("127.0.0.1", free_port()), LONG)
    assert WebSocket(connect, lambda _: False, 1, lambda _: None).request().kind == "refused"
