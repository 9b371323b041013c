"""Small servers of the tests' own: one function deals with each connection."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from proxyswitch.model import Endpoint

LONG = 20.0  # far more than anything here takes
Handle = Callable[[socket.socket], None]


class Server:
    """Accepts connections until it is closed; `connections` counts them."""

    def __init__(self, handle: Handle, context: ssl.SSLContext | None) -> None:
        self.handle, self.context, self.connections = handle, context, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = Endpoint("127.0.0.1", self.listener.getsockname()[1])
        self.open: list[socket.socket] = []
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is shut down at the end
            while True:
                sock, _ = self.listener.accept()
                self.connections += 1
                self.open.append(sock)
                self.threads.append(threading.Thread(target=self._serve, args=(sock,)))
                self.threads[-1].start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError):
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
                self.open.append(sock)
            with sock:
                self.handle(sock)

    def close(self) -> None:
        for sock in (self.listener, *self.open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in list(self.threads):
            thread.join(LONG)


@contextmanager
def serving(handle: Handle, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server for as long as the block runs."""
    server = Server(handle, context)
    try:
        yield server
    finally:
        server.close()


def reset_at_close(sock: socket.socket) -> None:
    """Its end will be a reset, not a close."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def read_head(sock: socket.socket) -> bytes:
    """A request's head; empty when the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return b""
        data += more
    return data
