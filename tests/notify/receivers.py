"""Those who are told, for real: a web server, a mail server, one that never answers."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Posted(NamedTuple):
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Web:
    """A web server that keeps what it is told. `status` and `answer` are what it says to all."""

    def __init__(self, status: int, answer: bytes) -> None:
        self.posted: list[Posted] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(status, answer))

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    def _handler(self, status: int, answer: bytes) -> type[BaseHTTPRequestHandler]:
        posted = self.posted

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posted.append(Posted(self.path, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@contextlib.contextmanager
def web(status: int = 200, answer: bytes = b"{}") -> Iterator[Web]:
    found = Web(status, answer)
    with serving(found.server):
        yield found


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def silence() -> Iterator[str]:
    """The address of a server that takes every connection, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def mail() -> Iterator[tuple[str, list[str]]]:
    """A mail server: its address, and the lines that it is told."""
    heard: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            in_text = False
            self.wfile.write(b"220 here\r\n")
            for line in iter(self.rfile.readline, b""):
                text = line.decode().rstrip("\r\n")
                heard.append(text)
                begins, ends = not in_text and text.upper() == "DATA", in_text and text == "."
                if not in_text or ends:
                    self.wfile.write(b"354 go on\r\n" if begins else b"250 fine\r\n")
                in_text = (in_text or begins) and not ends

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server, serving(server):
        yield f"127.0.0.1:{server.server_address[1]}", heard
