"""Websockets: opened, held, a line sent and echoed now and then. One that ends before the client ends it was cut.

After the upgrade the proxy passes bytes, whatever they are, so lines stand in for websocket frames.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import BinaryIO

from proxyswitch.demo.load import Outcome, failed, unconnected
from proxyswitch.system.clock import Deadline
from tests.load.http1 import Connect, Pause
from tests.load.records import WEBSOCKET

ASK = b"GET /socket HTTP/1.1\r\nHost: load\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
BEAT = 0.5


class WebSocket:
    """Holds one websocket for `hold` seconds at a time; `heard` is told the version at each echo."""

    def __init__(self, connect: Connect, pause: Pause, hold: float, heard: Callable[[str], None]) -> None:
        self.connect, self.pause, self.hold, self.heard = connect, pause, hold, heard

    def request(self) -> Outcome:
        """From the upgrade to the end of one websocket."""
        try:
            sock = self.connect()
        except OSError as error:
            return unconnected(error)
        with sock, sock.makefile("rb") as lines:
            return self._upgrade(sock, lines)

    def close(self) -> None:
        """None is kept from one request to the next."""

    def _upgrade(self, sock: socket.socket, lines: BinaryIO) -> Outcome:
        try:
            sock.sendall(ASK)
            status, headers = _head(lines)
        except OSError as error:
            return failed("timeout" if isinstance(error, TimeoutError) else "reset", error)
        if not status:
            return Outcome("closed", text="closed without an answer")
        version = headers.get("x-version", "unknown")
        if status != "101":
            return Outcome(f"http {status}", version, f"HTTP {status} instead of 101")
        return self._talk(sock, lines, version)

    def _talk(self, sock: socket.socket, lines: BinaryIO, version: str) -> Outcome:
        deadline, number = Deadline.after(self.hold), 0
        try:
            while True:
                line = b"line %d\n" % number
                sock.sendall(line)
                if lines.readline() != line:
                    return Outcome(WEBSOCKET, version, f"cut before the echo of line {number}")
                self.heard(version)
                number += 1
                if deadline.over or self.pause(BEAT):
                    return Outcome("ok", version)
        except OSError as error:
            return failed(WEBSOCKET, error, version)


def _head(lines: BinaryIO) -> tuple[str, dict[str, str]]:
    """The status and the headers of an answer; no status where none came."""
    words = lines.readline().decode("latin-1").split()
    headers = {}
    while line := lines.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return (words[1] if len(words) > 1 else ""), headers
