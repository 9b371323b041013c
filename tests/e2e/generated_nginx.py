"""A site that generate made, in a whole nginx of its own: the file as it was written, and nothing besides."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxyswitch.model import Endpoint
from proxyswitch.system import net
from tests.e2e.support import Bench, eventually
from tests.load import APP
from tests.load.tls import certificate, client_context
from tests.ports import free_port

POOL = "shop_backend"


class Answer:
    """What came back."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read().decode()


@dataclass
class Site(Bench):
    """Version 1 runs in slot blue, version 2 in slot green; blue serves. nginx's workers may enter the folder."""

    blue: int = 0
    green: int = 0
    tls: int = field(default_factory=free_port)
    status: int = field(default_factory=free_port)

    def make(self, *words: str) -> None:
        """Both apps, the config as generate writes it, and nginx."""
        self.blue, self.green = self.app("1", free_port()), self.app("2", free_port())
        self.generate(*words)
        self.own()
        self.start()

    def generate(self, *words: str) -> None:
        given = ["--domain", "shop.test", "--listen", "127.0.0.1", "--http-port", str(self.port)]
        given += ["--whole", "--run-dir", str(self.folder), "--workers", "2", "--write"]
        slots = ["--blue", f"127.0.0.1:{self.blue}", "--green", f"127.0.0.1:{self.green}"]
        app = [] if "--app" in words else ["--name", "shop", *([] if "--green" in words else slots)]
        done = self.run("generate", "nginx-site", *given, *app, *words)
        assert done.code == 0, done.err
        assert f"{self.conf}: written" in done.err

    def tls_words(self) -> list[str]:
        """What brings TLS, on a port of its own."""
        cert, key = certificate(self.folder)
        return ["--certificate", str(cert), "--certificate-key", str(key), "--https-port", str(self.tls)]

    def app(self, version: str, port: int, host: str = "127.0.0.1") -> int:
        """The app of the load, which knows websockets."""
        env = {**os.environ, "HOST": host, "PORT": str(port), "APP_VERSION": version}
        child = subprocess.Popen([sys.executable, str(APP)], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.started.append(child)
        assert eventually(lambda: net.is_listening(Endpoint(host, port)))
        return port

    def ask(self, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """A request over plain HTTP."""
        return _ask(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20), method, path, body, headers)

    def ask_tls(self, path: str = "/", **headers: str) -> Answer:
        connection = http.client.HTTPSConnection("127.0.0.1", self.tls, timeout=20, context=client_context("http/1.1"))
        return _ask(connection, "GET", path, None, headers)

    def protocols(self) -> tuple[str | None, str | None]:
        """The version of TLS and the protocol in it that are agreed on."""
        with net_tls(self.tls, client_context("h2", "http/1.1")) as sock:
            return sock.version(), sock.selected_alpn_protocol()

    def log_lines(self) -> list[Any]:
        """The access log: each line is JSON. Raises where one is not."""
        return [json.loads(line) for line in (self.folder / "shop.access.log").read_text().splitlines()]

    def versions(self, count: int = 6) -> set[str]:
        return {self.ask().headers["X-Version"] for _ in range(count)}


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> Answer:
    with contextlib.closing(connection):
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request(method, path, body, {"Host": "shop.test", **named})
        return Answer(connection.getresponse())


@contextmanager
def net_tls(port: int, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    sock = net.try_connect(Endpoint("127.0.0.1", port), 20)
    assert sock
    with sock, context.wrap_socket(sock, server_hostname="shop.test") as wrapped:
        yield wrapped


@contextmanager
def site(user: str = "") -> Iterator[Site]:
    """A folder that everybody may enter, cleared away afterwards. Workers of root's nginx are of its own user."""
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-site-"))
    folder.chmod(0o755)
    made = Site(folder, user)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)
