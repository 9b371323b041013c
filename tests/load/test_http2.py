"""HTTP/2: each way for a stream to end has its kind. The servers speak by the library h2, over plain TCP."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded

from proxyswitch.demo.load import Kind, Outcome
from proxyswitch.model import Endpoint
from tests.load.http1 import connector
from tests.load.http2 import Http2, Line, take_frames
from tests.load.servers import LONG, Handle, Server, reset_at_close, serving
from tests.ports import free_port

# What a server does with the request on a stream; False closes the connection.
Do = Callable[["Peer", int], bool]
BUSY = Kind("busy", kept=True)


class Peer:
    """The server's side of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.h2 = sock, H2Connection(H2Configuration(client_side=False))
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.sock.sendall(self.h2.data_to_send())

    def requests(self) -> Iterator[int]:
        while data := self.sock.recv(65536):
            events = self.h2.receive_data(data)
            for event in events:
                if isinstance(event, DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.flush()
            yield from (event.stream_id for event in events if isinstance(event, StreamEnded))

    def answer(self, stream: int, status: int = 200, *, body: bool = True) -> bool:
        self.h2.send_headers(stream, [(":status", str(status)), ("x-version", "1"), ("content-length", "2")])
        if body:
            self.h2.send_data(stream, b"ok", end_stream=True)
        self.flush()
        return True

    def goaway(self, last: int) -> None:
        """A GOAWAY frame, by hand: h2 would close its side of the connection with it."""
        self.sock.sendall(b"\0\0\x08\x07\0\0\0\0\0" + last.to_bytes(4) + b"\0\0\0\0")


def server(*does: Do) -> Handle:
    """Each request of a connection is dealt with by one of these; then the connection is closed."""

    def handle(sock: socket.socket) -> None:
        peer = Peer(sock)
        steps = iter(does)
        for stream in peer.requests():
            if not next(steps, lambda *_: False)(peer, stream):
                leave(sock)
                return

    return handle


def leave(sock: socket.socket) -> None:
    """An end, not a reset: what the client still sends is read first."""
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65536):
        pass


@contextmanager
def asking(handle: Handle, kind: Kind = BUSY, timeout: float = LONG) -> Iterator[tuple[Server, Http2]]:
    with serving(handle) as peer, closing(Http2(kind, connector(peer.address, timeout), lambda _: None)) as client:
        yield peer, client


def fine(peer: Peer, stream: int) -> bool:
    return peer.answer(stream)


def bad_gateway(peer: Peer, stream: int) -> bool:
    return peer.answer(stream, 502)


def cut(peer: Peer, stream: int) -> bool:
    peer.answer(stream, body=False)
    return False


def closed(peer: Peer, stream: int) -> bool:
    return False


def reset(peer: Peer, stream: int) -> bool:
    reset_at_close(peer.sock)
    raise ConnectionAbortedError


def rst_stream(peer: Peer, stream: int) -> bool:
    peer.h2.reset_stream(stream, 2)
    peer.flush()
    return True


def rst_stream_halfway(peer: Peer, stream: int) -> bool:
    peer.answer(stream, body=False)
    return rst_stream(peer, stream)


def goaway_before(peer: Peer, stream: int) -> bool:
    """It will not handle this stream."""
    peer.goaway(max(stream - 2, 0))
    return False


def goaway_and_answer(peer: Peer, stream: int) -> bool:
    """It handles this stream, and no other."""
    peer.goaway(stream)
    return peer.answer(stream)


def goaway_and_close(peer: Peer, stream: int) -> bool:
    """It says that it handles this stream, and does not."""
    peer.goaway(stream)
    return False


def silent(peer: Peer, stream: int) -> bool:
    return True


def test_streams_of_one_connection() -> None:
    with asking(server(*[fine] * 30)) as (peer, client):
        assert [client.request() for _ in range(30)] == [Outcome("ok", "1")] * 30
        assert peer.connections == 1


def test_a_connection_a_request() -> None:
    with asking(server(fine), Kind("close")) as (peer, client):
        assert [client.request().kind for _ in range(3)] == ["ok"] * 3
        assert peer.connections == 3


@pytest.mark.parametrize(
    ("do", "kind", "version"),
    [
        (bad_gateway, "http 502", "1"),
        (cut, "cut", "1"),
        (closed, "closed", ""),
        (reset, "reset", ""),
        (rst_stream, "rst stream", ""),
        (rst_stream_halfway, "rst stream", "1"),
        (goaway_before, "goaway", ""),
        (goaway_and_close, "closed", ""),
    ],
)
def test_each_end_has_its_kind_and_its_version(do: Do, kind: str, version: str) -> None:
    with asking(server(do)) as (peer, client):
        found = client.request()
        assert (found.kind, found.version) == (kind, version), found
        assert peer.connections == 1, "nothing is sent again"


@pytest.mark.parametrize(
    ("do", "kind"),
    [
        (closed, "reused"),
        (reset, "reused"),
        (cut, "cut"),
        (rst_stream, "rst stream"),
        (goaway_before, "goaway"),
        (goaway_and_close, "closed"),
    ],
)
def test_the_second_stream_of_a_kept_connection(do: Do, kind: str) -> None:
    with asking(server(fine, do)) as (peer, client):
        assert [client.request().kind for _ in range(2)] == ["ok", kind]
        assert peer.connections == 1


def test_an_answer_after_a_goaway_counts_and_the_next_request_goes_elsewhere() -> None:
    with asking(server(goaway_and_answer)) as (peer, client):
        assert [client.request().kind for _ in range(3)] == ["ok"] * 3
        assert peer.connections == 3


def test_a_kept_connection_that_was_closed_before_is_seen_in_time() -> None:
    def handle(sock: socket.socket) -> None:
        peer = Peer(sock)
        peer.answer(next(peer.requests()))
        sock.shutdown(socket.SHUT_WR)

    with asking(handle) as (peer, client):
        assert client.request().kind == "ok"
        peer.threads[1].join(LONG)
        assert client.request().kind == "ok"
        assert peer.connections == 2


def test_a_server_that_says_nothing_is_a_timeout() -> None:
    with asking(server(silent), timeout=0.3) as (_, client):
        assert client.request().kind == "timeout"


def test_what_is_no_http2_is_a_failure() -> None:
    with asking(lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")) as (_, client):
        assert client.request().kind in ("closed", "reset")


def test_nobody_listens() -> None:
    connect = connector(Endpoint("127.0.0.1", free_port()), LONG)
    assert Http2(BUSY, connect, lambda _: None).request().kind == "refused"


def test_many_uploads_on_one_connection() -> None:
    """More than the window of a connection holds, so the server's updates of it must be heard."""
    with asking(server(*[fine] * 20), Kind("upload", "/", kept=True, trickle=True)) as (peer, client):
        assert [client.request().kind for _ in range(20)] == ["ok"] * 20
        assert peer.connections == 1


def test_a_reset_that_shows_in_sending_is_no_plain_end() -> None:
    """The error of a socket is told once; the next read only says that this is the end."""

    class Gone(socket.socket):
        def sendall(self, data: object, flags: int = 0) -> None:
            raise ConnectionResetError("gone")

        def recv(self, size: int, flags: int = 0) -> bytes:
            return b""

    with Gone() as sock, pytest.raises(ConnectionResetError, match="gone"):
        Line(sock).receive()


def test_frames_are_taken_whole() -> None:
    ping, goaway = b"\0\0\x08\x06\0\0\0\0\0" + b"12345678", b"\0\0\x08\x07\0\0\0\0\0" + b"\0\0\0\x05" + bytes(4)
    buffer = bytearray(ping + goaway + ping[:-1])
    assert take_frames(buffer) == (ping, 5)
    assert buffer == ping[:-1]
    assert take_frames(buffer) == (b"", None)
