"""Clients and servers for these tests that hold a connection for as long as they like."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.support import LIMIT, Bench

UPGRADE = "GET /socket HTTP/1.1\r\nHost: test\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"


@contextmanager
def echo_server() -> Iterator[int]:
    """A server that upgrades each connection, as a websocket server does, and then gives back each line. Its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(LIMIT)


def _serve(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the listener is shut down at the end
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_echo, args=(client,), daemon=True).start()


def _echo(client: socket.socket) -> None:
    with contextlib.suppress(OSError), client, client.makefile("rb") as lines:
        while lines.readline().strip():
            pass
        client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        for line in lines:
            client.sendall(line)


class Raw:
    """One connection to nginx, byte by byte."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        self.lines = self.socket.makefile("rb")

    def send(self, data: str) -> None:
        self.socket.sendall(data.encode())

    def head(self) -> list[str]:
        """The status line and the headers of an answer."""
        rows = []
        while line := self.lines.readline().decode().strip():
            rows.append(line)
        return rows

    def echo(self, text: str) -> str:
        """Send a line over an upgraded connection; what came back."""
        self.send(f"{text}\n")
        return self.lines.readline().decode().strip()

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@contextmanager
def raw(place: Bench) -> Iterator[Raw]:
    """A connection to the bench's nginx."""
    client = Raw(place.port)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def upgraded(place: Bench) -> Iterator[Raw]:
    """A connection through nginx that was upgraded, so that it stays open until the block ends."""
    with raw(place) as client:
        client.send(UPGRADE)
        assert client.head()[0] == "HTTP/1.1 101 Switching Protocols"
        yield client


class Fetch:
    """A request in a thread of its own."""

    def __init__(self, url: str) -> None:
        self.version = ""
        self._thread = threading.Thread(target=self._fetch, args=(url,), daemon=True)
        self._thread.start()

    def _fetch(self, url: str) -> None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=LIMIT) as answer:
            self.version = str(answer.headers["X-Version"])

    def result(self) -> str:
        """Which version answered; empty when it failed."""
        self._thread.join(LIMIT)
        return self.version
