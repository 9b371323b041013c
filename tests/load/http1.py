"""HTTP/1.1 requests, over TCP or TLS: the demo's client, and how it connects."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

from proxyswitch.demo.load import CHUNK, CHUNKS, Client, Kind
from proxyswitch.model import Endpoint
from proxyswitch.system import net

Pause = Callable[[float], object]
Connect = Callable[[], socket.socket]
UPLOAD_SECONDS = 2.0


def connector(address: Endpoint, timeout: float, context: ssl.SSLContext | None = None) -> Connect:
    """How to connect to that address, with TLS where a context is given. `timeout` in seconds, for each read too."""

    def connect() -> socket.socket:
        sock = net.connect(address, timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not context:
            return sock
        try:
            return context.wrap_socket(sock, server_hostname=address.host)
        except BaseException:
            sock.close()
            raise

    return connect


class Http1(Client):
    """Sends one kind of request over connections that `connect` makes.

    One that `looks` sees before it sends that a kept connection was closed meanwhile, as good clients do; others send.
    """

    def __init__(self, address: Endpoint, kind: Kind, connect: Connect, pause: Pause, *, looks: bool = True) -> None:
        super().__init__(address, kind, 0.0, pause)
        self._dial, self._looks = connect, looks

    def attach(self, connection: HTTPConnection) -> None:
        connection.sock = self._dial()

    def _still_open(self) -> HTTPConnection | None:
        kept = self._connection
        return super()._still_open() if self._looks or not (kept and kept.sock) else kept

    def _trickle(self) -> Iterator[bytes]:
        return trickled(self.wait)


def trickled(pause: Pause) -> Iterator[bytes]:
    """A body that takes UPLOAD_SECONDS to send."""
    for _ in range(CHUNKS):
        yield CHUNK
        pause(UPLOAD_SECONDS / CHUNKS)
