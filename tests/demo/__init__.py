"""The sample app as a process of the test's own, on a port from the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from proxyswitch.model import Endpoint

FIXTURE = Path(__file__).parents[2] / "fixtures" / "demo" / "app.py"
LONG = 20.0  # far more than anything here takes


class App:
    """A running app; `first` is the line that it logged."""

    def __init__(self, **env: str) -> None:
        given = {k: v for k, v in os.environ.items() if not k.startswith(("APP_", "PORT", "HOST"))}
        self.process = subprocess.Popen(
            [sys.executable, str(FIXTURE)],
            env={**given, "PORT": "0", **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.first = self._line()

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().rstrip("\n")

    @property
    def address(self) -> Endpoint:
        return Endpoint.parse(self.first.rpartition(" ")[2])

    def connect(self) -> HTTPConnection:
        return HTTPConnection(self.address.host, self.address.port, timeout=LONG)

    def get(self, path: str = "/", method: str = "GET", body: bytes | None = None) -> tuple[int, str, HTTPResponse]:
        """Status, text and the whole answer."""
        connection = self.connect()
        connection.request(method, path, body)
        with connection.getresponse() as answer:
            text = answer.read().decode()
        connection.close()
        return answer.status, text, answer

    def ends(self) -> tuple[int, str]:
        """Wait until it has ended: its status, and what else it logged."""
        rest, _ = self.process.communicate(timeout=LONG)
        return self.process.returncode, rest

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def running(version: str = "1", **env: str) -> Iterator[App]:
    """The app for as long as the block runs."""
    app = App(APP_VERSION=version, **env)
    try:
        yield app
    finally:
        app.close()
