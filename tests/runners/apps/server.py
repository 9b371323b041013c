"""A web app that stops in grace, for containers and units: the standard library only, configured by its environment.

PORT (default 8000), HOST, VERSION and SLOT; BROKEN gives it one fault: `exit` (status 3 at once), `never-ready` (its health
is 503), `ready-after:SECONDS`, `dies-after:SECONDS` (after it listens), `deaf` (ignores SIGTERM).

GET / and /health answer JSON: version, slot, pid, status. GET /slow?seconds=2 answers after that long, POST /upload with
the number of bytes that came. On SIGTERM it finishes what it has, with `Connection: close`, and ends.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import parse_qs, urlsplit

VERSION = os.environ.get("VERSION", "unknown")
BROKEN, _, SECONDS = os.environ.get("BROKEN", "").partition(":")
FAULTS = ("", "exit", "never-ready", "ready-after", "dies-after", "deaf")
IDLE = 0.5  # how long an idle connection may still send a request after SIGTERM
BEGUN = time.monotonic()
term_seen, term_sent = socket.socketpair()  # readable from SIGTERM on


def closing() -> bool:
    return bool(select.select([term_seen], [], [], 0)[0])


def ready() -> bool:
    return BROKEN != "never-ready" and (BROKEN != "ready-after" or time.monotonic() - BEGUN > float(SECONDS))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.close_connection = False
        while not self.close_connection and self.asked():
            self.handle_one_request()

    def asked(self) -> bool:
        """Wait for a request; False when none is to be expected any more."""
        if self.connection not in select.select([self.connection, term_seen], [], [])[0]:
            return bool(select.select([self.connection], [], [], IDLE)[0])
        return True

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/slow":
            time.sleep(float(parse_qs(url.query).get("seconds", ["2"])[0]))
        well = url.path != "/health" or ready()
        self.answer(200 if well else 503, {"status": "healthy" if well else "starting"})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        left = int(self.headers.get("Content-Length", "0"))
        came = 0
        while came < left and (data := self.rfile.read(min(left - came, 65536))):
            came += len(data)
        self.answer(200, {"bytes": came})

    def answer(self, status: int, more: dict[str, object]) -> None:
        about = {"version": VERSION, "slot": os.environ.get("SLOT", ""), "pid": os.getpid(), **more}
        body = (json.dumps(about) + "\n").encode()
        self.close_connection = self.close_connection or closing()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Version", VERSION)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A line for each start is enough."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = False  # the end waits for the answers that are on their way
    timeout = 0

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # not HTTPServer's, which looks up the host's name: slow where DNS is

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""

    def serve(self) -> None:
        """Answer until SIGTERM, then what waits already, then end."""
        while not closing():
            if self.socket in select.select([self.socket, term_seen], [], [])[0]:
                self.handle_request()
        while select.select([self.socket], [], [], 0)[0]:
            self.handle_request()
        self.server_close()


def die(line: str, status: int) -> None:
    print(line, flush=True)
    os._exit(status)


def main() -> None:
    if BROKEN not in FAULTS:
        sys.exit(f"BROKEN={BROKEN}: unknown; there is {', '.join(FAULTS[1:])}")
    if BROKEN == "exit":
        die("cannot reach the database: the last line", 3)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if BROKEN == "deaf" else lambda *_: term_sent.sendall(b"!"))
    port = int(os.environ.get("PORT", "8000"))
    with Server((os.environ.get("HOST", ""), port), Handler) as server:
        if BROKEN == "dies-after":
            timer = threading.Timer(float(SECONDS), die, (f"died after {SECONDS} s: the last line", 3))
            timer.daemon = True
            timer.start()
        print(f"version {VERSION} listens on port {port}", flush=True)
        server.serve()
    print("stopped in grace", flush=True)


if __name__ == "__main__":
    main()
