"""HTTP/2 requests by the library h2, one stream at a time over a kept connection, and each end of a stream told apart.

`goaway`: the server had said that it would not handle this stream, so that any client sends it again elsewhere.
`rst stream`: the server gave the stream up. The other kinds are those of HTTP/1.1.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from proxyswitch.demo.load import CHUNK, CHUNKS, Kind, Outcome, failed, unconnected
from tests.load.http1 import Connect, Pause, trickled

GOAWAY, HEAD, PIECE = 7, 9, 65536


def take_frames(buffer: bytearray) -> tuple[bytes, int | None]:
    """Take the whole frames out of the buffer: those for h2, and the last stream that a GOAWAY among them allows.

    h2 takes a connection for closed after a GOAWAY, and the answers that a server still owes would be errors to it.
    """
    rest, last = bytearray(), None
    while len(buffer) >= HEAD and len(buffer) >= (size := HEAD + int.from_bytes(buffer[:3])):
        if buffer[3] == GOAWAY:
            last = int.from_bytes(buffer[HEAD : HEAD + 4]) & 0x7FFFFFFF
        else:
            rest += buffer[:size]
        del buffer[:size]
    return bytes(rest), last


class Line:
    """One connection. `last` is the last stream that the server will handle, once it has said so."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self._buffer = sock, bytearray()
        self.last: int | None = None
        self._broken: OSError | None = None
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Send what h2 has ready. Where the other side has gone, reading says so: it may have answered all the same."""
        try:
            self.sock.sendall(self.h2.data_to_send())
        except (ConnectionError, ssl.SSLError) as error:
            self._broken = self._broken or error

    def receive(self) -> list[Event]:
        """What has come, waiting for something. Raises OSError at its end, and h2's ProtocolError."""
        data = self.sock.recv(PIECE)
        if not data:
            raise self._broken or ConnectionAbortedError("closed by the server")
        self._buffer += data
        frames, last = take_frames(self._buffer)
        self.last = self.last if last is None else last
        events = self.h2.receive_data(frames)
        self.flush()
        return events

    @property
    def usable(self) -> bool:
        """False when the server has closed it or will, as far as that has arrived."""
        with contextlib.suppress(OSError, ProtocolError):
            while self._waiting():
                self.receive()
            return self.last is None
        return False

    def _waiting(self) -> bool:
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        poll = select.poll()
        poll.register(self.sock, select.POLLIN | select.POLLRDHUP)
        return bool(poll.poll(0))


@dataclass
class Answer:
    """What has come of one stream's answer."""

    stream: int
    status: int = 0
    version: str = ""
    ended: bool = False
    reset: int | None = None

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            if getattr(event, "stream_id", None) == self.stream:
                self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            headers = {str(name): str(value) for name, value in event.headers or ()}
            self.status, self.version = int(headers[":status"]), headers.get("x-version", "unknown")
        elif isinstance(event, StreamEnded):
            self.ended = True
        elif isinstance(event, StreamReset) and not self.ended:
            self.reset = int(event.error_code or 0)

    def outcome(self) -> Outcome | None:
        """How the stream ended; None while it has not."""
        if self.reset is not None:
            return Outcome("rst stream", self.version, f"the stream was reset: error {self.reset}")
        if not self.ended:
            return None
        if self.status >= 400:
            return Outcome(f"http {self.status}", self.version, f"HTTP {self.status}")
        return Outcome("ok", self.version)


class Http2:
    """Sends one kind of request over connections that `connect` makes."""

    def __init__(self, kind: Kind, connect: Connect, pause: Pause) -> None:
        self.kind, self.connect, self.pause = kind, connect, pause
        self._line: Line | None = None

    def request(self) -> Outcome:
        """One request, sent once."""
        line = self._line if self._line and self._line.usable else None
        try:
            outcome = self._exchange(line or self._open(), fresh=line is None)
        except OSError as error:
            return unconnected(error)
        if outcome.kind != "ok" or not self.kind.kept:
            self.close()
        return outcome

    def close(self) -> None:
        if self._line:
            self._line.sock.close()
        self._line = None

    def _open(self) -> Line:
        self.close()
        sock = self.connect()
        try:
            self._line = Line(sock)
        except BaseException:
            sock.close()
            raise
        return self._line

    def _exchange(self, line: Line, *, fresh: bool) -> Outcome:
        answer = Answer(line.h2.get_next_available_stream_id())
        try:
            self._send(line, answer.stream)
            return self._receive(line, answer)
        except TimeoutError as error:
            return failed("timeout", error, answer.version)
        except (OSError, ProtocolError) as error:
            return _broken(error, line, answer, fresh=fresh)

    def _receive(self, line: Line, answer: Answer) -> Outcome:
        while True:
            answer.take(line.receive())
            if outcome := answer.outcome():
                return outcome
            if line.last is not None and answer.stream > line.last:
                return Outcome("goaway", text=f"stream {answer.stream}, and the server handles none after {line.last}")

    def _send(self, line: Line, stream: int) -> None:
        method = "POST" if self.kind.trickle else "GET"
        headers = [(":method", method), (":scheme", "https"), (":authority", "load"), (":path", self.kind.target)]
        if not self.kind.trickle:
            line.h2.send_headers(stream, headers, end_stream=True)
            line.flush()
            return
        line.h2.send_headers(stream, [*headers, ("content-length", str(len(CHUNK) * CHUNKS))])
        for chunk in trickled(self.pause):
            line.h2.send_data(stream, chunk)
            line.flush()
        line.h2.end_stream(stream)
        line.flush()


def _broken(error: Exception, line: Line, answer: Answer, *, fresh: bool) -> Outcome:
    """The connection ended under the request. Harmless is only the end of a kept one on which nobody promised an answer."""
    if answer.status:
        return failed("cut", error, answer.version)
    if not fresh and line.last is None:
        return failed("reused", error)
    return failed("reset" if isinstance(error, ConnectionResetError) else "closed", error)
