"""HTTP/1.1, over TCP and over TLS: each way for a request to end has its kind, and nothing is sent twice."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from proxyswitch.demo.load import Kind, Outcome
from proxyswitch.model import Endpoint
from tests.load import http1
from tests.load.http1 import Http1, connector
from tests.load.servers import LONG, Handle, Server, read_head, reset_at_close, serving
from tests.load.tls import certificate, client_context
from tests.ports import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Version: 1\r\n\r\nok"
CLOSE = Kind("close")


class Tls(NamedTuple):
    """The contexts of both sides; none of them for plain TCP."""

    server: ssl.SSLContext | None = None
    client: ssl.SSLContext | None = None


@pytest.fixture(params=["tcp", "tls"], scope="module")
def tls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return contexts(tmp_path_factory.mktemp("tls")) if request.param == "tls" else Tls()


def contexts(folder: Path) -> Tls:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate(folder))
    return Tls(server, client_context("http/1.1"))


@contextmanager
def asking(handle: Handle, tls: Tls, kind: Kind = CLOSE, timeout: float = LONG) -> Iterator[tuple[Server, Http1]]:
    with serving(handle, tls.server) as server:
        connect = connector(server.address, timeout, tls.client)
        with closing(Http1(server.address, kind, connect, lambda _: None)) as client:
            yield server, client


def answers(*texts: bytes, reset: bool = False) -> Handle:
    """A connection that gives these answers, one a request, and then closes or resets."""

    def handle(sock: socket.socket) -> None:
        for text in texts:
            if not read_head(sock):
                return
            sock.sendall(text)
        if reset:
            read_head(sock)
            reset_at_close(sock)

    return handle


@pytest.mark.parametrize(
    ("handle", "kind", "version"),
    [
        (answers(OK), "ok", "1"),
        (answers(OK.replace(b"200 OK", b"502 Bad Gateway")), "http 502", "1"),
        (answers(b"", reset=False), "closed", ""),
        (answers(reset=True), "reset", ""),
        (answers(OK[:-1]), "cut", "1"),
        (answers(b"HTTP/1.1 2"), "cut", ""),
    ],
)
def test_each_end_has_its_kind_and_its_version(handle: Handle, kind: str, version: str, tls: Tls) -> None:
    with asking(handle, tls) as (server, client):
        found = client.request()
        shown = "reset" if tls.server and kind == "reset" and found.kind == "closed" else found.kind  # Python's TLS says EOF
        assert (shown, found.version) == (kind, version), found
        assert server.connections == 1


@pytest.mark.parametrize("reset", [False, True])
def test_a_kept_connection_that_ends_under_the_request_is_reused(reset: bool, tls: Tls) -> None:
    """The server takes the second request, and goes without a byte."""

    def handle(sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(OK)
        read_head(sock)
        if reset:
            reset_at_close(sock)

    with asking(handle, tls, Kind("busy", kept=True)) as (server, client):
        assert [client.request().kind for _ in range(4)] == ["ok", "reused", "ok", "reused"]
        assert server.connections == 2


def test_a_kept_connection_is_used_again(tls: Tls) -> None:
    with asking(answers(*[OK] * 5), tls, Kind("busy", kept=True)) as (server, client):
        assert [client.request() for _ in range(5)] == [Outcome("ok", "1")] * 5
        assert server.connections == 1


def test_a_kept_connection_that_was_closed_before_is_seen_in_time(tls: Tls) -> None:
    with asking(answers(OK), tls, Kind("idle", kept=True)) as (server, client):
        assert client.request().kind == "ok"
        server.threads[1].join(LONG)
        assert client.request().kind == "ok"
        assert server.connections == 2


def test_one_that_does_not_look_sends_into_a_closed_connection(tls: Tls) -> None:
    with serving(answers(OK), tls.server) as server:
        connect = connector(server.address, LONG, tls.client)
        kind = Kind("idle", kept=True)
        with closing(Http1(server.address, kind, connect, lambda _: None, looks=False)) as client:
            assert client.request().kind == "ok"
            server.threads[1].join(LONG)
            assert [client.request().kind for _ in range(2)] == ["reused", "ok"]
            assert server.connections == 2


def test_a_server_that_says_nothing_is_a_timeout(tls: Tls) -> None:
    def handle(sock: socket.socket) -> None:
        while read_head(sock):
            pass

    with asking(handle, tls, timeout=0.3) as (_, client):
        assert client.request().kind == "timeout"


def test_nobody_listens() -> None:
    address = Endpoint("127.0.0.1", free_port())
    with closing(Http1(address, Kind("close"), connector(address, LONG), lambda _: None)) as client:
        assert client.request().kind == "refused"


def test_a_broken_handshake_is_counted(tmp_path: Path) -> None:
    context = contexts(tmp_path).client
    with serving(lambda sock: sock.sendall(b"this is no TLS\r\n")) as server:
        client = Http1(server.address, Kind("close"), connector(server.address, LONG, context), lambda _: None)
        with closing(client):
            assert client.request().kind == "error"


def test_an_upload_is_trickled(tls: Tls) -> None:
    pauses: list[float] = []

    def handle(sock: socket.socket) -> None:
        data = read_head(sock)
        while not data.endswith(b"x" * 10240):
            data += sock.recv(65536)
        sock.sendall(OK)

    with serving(handle, tls.server) as server:
        connect = connector(server.address, LONG, tls.client)
        with closing(Http1(server.address, Kind("upload", "/", trickle=True), connect, pauses.append)) as client:
            assert client.request() == Outcome("ok", "1")
    assert sum(pauses) == pytest.approx(http1.UPLOAD_SECONDS)
