"""A private HAProxy with sockets of every level, and a server of ours that answers a command as no HAProxy would."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from proxyswitch.model import Endpoint
from proxyswitch.polling import until
from proxyswitch.proxies.haproxy_socket import Master, Runtime, SocketError
from proxyswitch.system import proc
from tests.ports import free_port

LIMIT = 30.0
CONF = """\
global
    stats socket {folder}/admin.sock mode 600 level admin
    stats socket {folder}/operator.sock mode 600 level operator
    stats socket {folder}/user.sock mode 600 level user
    stats socket {folder}/verbose.sock mode 600 level admin severity-output string
    stats socket ipv4@127.0.0.1:{tcp} level admin
    hard-stop-after 60s
defaults
    mode http
    option abortonclose
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend web
    bind 127.0.0.1:{port}
    default_backend app
backend app
    server one 127.0.0.1:{slow} weight 10
    server one2 127.0.0.2:{slow} backup
    server on 127.0.0.3:{slow} weight 7 disabled
backend app2
    server one 127.0.0.1:{closed} check agent-check agent-port {closed} inter 60s
backend hashed
    balance source
    server one 127.0.0.1:{slow}
backend names
    server-template t 1-2 localhost:{slow} init-addr none disabled
"""


def eventually(look: Callable[[], object]) -> bool:
    """Wait until `look` is true; False when that takes far too long. No socket yet is not true yet."""

    def seen() -> bool | None:
        try:
            return bool(look()) or None
        except SocketError:
            return None

    return bool(until(seen, LIMIT, first=0.002, longest=0.05))


@dataclass
class Haproxy:
    """One HAProxy in a folder, with a server behind it that accepts and never answers."""

    folder: Path
    binary: str
    user: str = ""
    port: int = field(default_factory=free_port)
    tcp: int = field(default_factory=free_port)
    child: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str, conf: str = CONF, slow: int = 1) -> None:
        """Start it and wait until its admin socket answers."""
        text = conf.format(folder=self.folder, port=self.port, tcp=self.tcp, slow=slow, closed=free_port())
        self.conf.write_text(text)
        argv = [self.binary, *arguments, "-db", "-f", str(self.conf)]
        argv = ["runuser", "-u", self.user, "--", *argv] if self.user else argv
        with open(self.folder / "log", "wb") as log:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        assert eventually(lambda: self.runtime().info()), (self.folder / "log").read_text()
        assert "-S" not in arguments or eventually(self.master.level), (self.folder / "log").read_text()

    @property
    def conf(self) -> Path:
        return self.folder / "haproxy.cfg"

    def at(self, name: str) -> Endpoint:
        return Endpoint(path=str(self.folder / f"{name}.sock"))

    def runtime(self, name: str = "admin", timeout: float = 10.0) -> Runtime:
        return Runtime(self.at(name), timeout=timeout)

    @property
    def master(self) -> Master:
        return Master(self.at("master"), timeout=10.0)

    def stop(self) -> None:
        """End it with all its processes, by pid."""
        if self.child:
            family = list(proc.children(self.child.pid))
            family += [p for pid in family for p in proc.children(pid)]
            for pid in [*family, self.child.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            self.child.wait()


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(50)
        yield int(sock.getsockname()[1])


@contextlib.contextmanager
def request(port: int) -> Iterator[socket.socket]:
    """A request through HAProxy that is open until the end of the block."""
    with socket.create_connection(("127.0.0.1", port), LIMIT) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        yield sock


Answer = Callable[[socket.socket, bytes], None]


@contextlib.contextmanager
def fake(folder: Path, answer: Answer) -> Iterator[Endpoint]:
    """A unix socket at which `answer` gets each connection with the command that came; it is closed afterwards."""
    path = str(folder / "fake.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(20)
        threads: list[threading.Thread] = []

        def serve(sock: socket.socket) -> None:
            with sock, contextlib.suppress(OSError):
                sock.settimeout(LIMIT)
                command = b""
                while not command.endswith(b"\n") and (piece := sock.recv(4096)):
                    command += piece
                answer(sock, command)

        def accept() -> None:
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=serve, args=(sock,), daemon=True))
                threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield Endpoint(path=path)
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join(LIMIT)
            for thread in threads:
                thread.join(LIMIT)
            os.unlink(path)


def says(reply: bytes | str) -> Answer:
    """Always that reply."""
    data = reply.encode() if isinstance(reply, str) else reply
    return lambda sock, _command: sock.sendall(data)


def trickles(reply: bytes, pause: float) -> Answer:
    """That reply a byte at a time, again and again until the other side has gone."""

    def answer(sock: socket.socket, _command: bytes) -> None:
        while True:
            for byte in reply:
                sock.sendall(bytes([byte]))
                time.sleep(pause)

    return answer


def mute(sock: socket.socket, _command: bytes) -> None:
    """No answer, until the other side has gone."""
    while sock.recv(4096):
        pass
    sock.recv(1)


def endless(sock: socket.socket, _command: bytes) -> None:
    """More than anybody wants."""
    block = b"x" * (1 << 20)
    while True:
        sock.sendall(block)
