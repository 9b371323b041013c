"""A site in front of two apps that say what they received, plain and in instant mode, on real nginx."""

from __future__ import annotations

import http.client
import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from socketserver import BaseRequestHandler, BaseServer, TCPServer, ThreadingTCPServer
from typing import Any, NamedTuple

from proxyswitch.conf.nginx import adopt, chain
from proxyswitch.conf.text import apply
from tests.conf.adopt_helpers import wanted_of
from tests.e2e.support import Bench, bench

HEAD = """\
{user}worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
"""


class Answer(NamedTuple):
    """What a client got; `seen` is what the app says that it received."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def seen(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def slot(self) -> str:
        return str(self.seen["slot"])


class _App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    slot = ""

    def answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size).decode()
        said = {
            "slot": self.slot,
            "method": self.command,
            "path": self.path,
            "body": body,
            "headers": dict(sorted(self.headers.items())),
        }
        data = json.dumps(said).encode()
        self.send_response(302 if "/moved" in self.path else 200)
        if "/moved" in self.path:
            self.send_header("Location", f"http://{self.headers['Host']}/next?from={self.path}")
        self.send_header("Cache-Control", "max-age=60")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def app(slot: str) -> Iterator[ThreadingHTTPServer]:
    """An app on a port of the kernel's choice; `server_close` ends it before."""
    handler = type("App", (_App,), {"slot": slot})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, served(server):
        server.daemon_threads = True
        yield server


@dataclass
class Pair:
    """The same site twice: as the person wrote it, and in instant mode."""

    plain: Bench
    instant: Bench
    flags: Path

    def get(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Answer:
        """What instant mode answers."""
        return request(self.instant.port, path, method, body, headers)

    def same(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Answer:
        """The answer of both, which must not differ."""
        before, after = (request(b.port, path, method, body, headers) for b in (self.plain, self.instant))
        assert (before.status, before.headers, before.body) == (after.status, after.headers, after.body)
        return after

    def link(self, name: str, target: str) -> None:
        (self.flags / "new").symlink_to(target)
        os.rename(self.flags / "new", self.flags / name)

    def switch(self, share: int) -> None:
        self.link("green", f"pct-{share}")

    def close(self, *allowed: str) -> None:
        """Maintenance, but for these addresses and networks."""
        folder = self.flags / "retry-120.x"
        (folder / ".proxyswitch").mkdir(parents=True, exist_ok=True)
        (folder / ".proxyswitch" / "app.html").write_text("we are at work\n")
        (folder / "closed").touch()
        (folder / "allow").mkdir(exist_ok=True)
        for name in allowed:
            (folder / "allow" / name).touch()
        self.link("gate", "retry-120.x")

    def open(self) -> None:
        self.link("gate", "open")


def request(port: int, path: str, method: str, body: str, headers: dict[str, str]) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        sent = {"Host": "shop.example", **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.request(method, path, body.encode() if body else None, sent)
        answer = connection.getresponse()
        got = {n: v for n, v in answer.getheaders() if n not in ("Date", "Connection")}
        if "Location" in got:
            got["Location"] = got["Location"].replace(f":{port}/", "/")
        return Answer(answer.status, got, answer.read())
    finally:
        connection.close()


def make_flags(folder: Path) -> Path:
    """The flag folder, as another module makes it."""
    flags = folder / "flags"
    for share in (0, 50, 100):
        (flags / f"pct-{share}").mkdir(parents=True)
        for bucket in range(share):
            (flags / f"pct-{share}" / str(bucket)).touch()
    (flags / "open").mkdir()
    (flags / "green").symlink_to("pct-0")
    (flags / "gate").symlink_to("open")
    return flags


Taken = Queue[tuple[str, bytes]]


class Listener(ThreadingTCPServer):
    """Takes the beginning of what comes, with the name of its slot, and hangs up."""

    daemon_threads = True

    def __init__(self, slot: str, taken: Taken) -> None:
        self.slot = slot
        self.taken = taken
        super().__init__(("127.0.0.1", 0), _Taker)


class _Taker(BaseRequestHandler):
    server: Listener

    def handle(self) -> None:
        self.server.taken.put((self.server.slot, self.request.recv(4096)))


@contextmanager
def listeners(taken: Taken) -> Iterator[Two]:
    """Two slots that only take what comes."""
    with Listener("blue", taken) as blue, served(blue), Listener("green", taken) as green, served(green):
        yield Two(blue, green)


@contextmanager
def served(server: BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


class Two(NamedTuple):
    """Two apps, and the config of a pool of them."""

    blue: TCPServer
    green: TCPServer

    @property
    def pool(self) -> str:
        return f"    upstream app {{ server {address(self.blue)}; server {address(self.green)} down; }}\n"


def address(server: TCPServer) -> str:
    return f"127.0.0.1:{server.server_address[1]}"


@contextmanager
def pair(folder: Path, apps: Two, text: str, http: str = "", **wish: Any) -> Iterator[Pair]:
    """Start both. `text` is the server block's body; `{port}` and the rest are put in."""
    flags = make_flags(folder)
    with ExitStack() as stack:
        benches = []
        for name in ("plain", "instant"):
            (folder / name).mkdir()
            made = stack.enter_context(bench(folder / name))
            benches.append(made)
            user = "" if os.geteuid() else "user root;\n"
            head = HEAD.format(user=user, folder=made.folder) + http.replace("{folder}", str(made.folder)) + apps.pool
            made.conf.write_text(f"{head}    server {{\n        listen 127.0.0.1:{made.port};\n{text}    }}\n}}\n")
        _adopt(benches[1].conf, str(flags), wish)
        for made in benches:
            made.start()
        yield Pair(benches[0], benches[1], flags)


def _adopt(conf: Path, flags: str, wish: dict[str, Any]) -> None:
    config = chain.load(str(conf))
    wanted = wanted_of(flags=flags, **wish)
    made = adopt.adopt(config, wanted)
    changed = {edit.document.real: apply(edit.document.data, edit.edits) for edit in made.edits}
    adopt.verify(config, chain.load(str(conf), known=config.documents, replaced=changed), wanted)
    for real, data in changed.items():
        Path(real).write_bytes(data)
