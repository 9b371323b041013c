"""A web app that takes a new version by SIGHUP: it reads `version` in its working folder, without losing its socket.

PORT is where it listens. GET / answers JSON: version, pid. A version that ends in `-dies` ends it, in `-ill` makes it ill.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

now = {"version": ""}


def load(*_: object) -> None:
    now["version"] = Path(os.environ["CURRENT"], "version").read_text().strip()
    print(f"version {now['version']} is loaded", flush=True)
    if now["version"].endswith("-dies"):
        print("cannot reach the database: the last line", flush=True)
        os._exit(3)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({**now, "pid": os.getpid()}).encode()
        self.send_response(503 if now["version"].endswith("-ill") else 200)
        self.send_header("X-Version", now["version"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A line for each version is enough."""


def main() -> None:
    load()
    signal.signal(signal.SIGHUP, load)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()


if __name__ == "__main__":
    main()
