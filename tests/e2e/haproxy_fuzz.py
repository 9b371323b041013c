"""A runtime socket between proxyswitch and HAProxy that goes wrong at one exchange: cut off, slow, garbage, or closed."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

from tests.e2e.support import LIMIT

GARBAGE = b"\x00\xff<html>502</html>\n1\n# pxname,svname,be_id be_name srv_id\n3 app_backend 1\n\n"
FAULTS = ("cut off", "garbage", "closed before", "closed after", "silent", "trickling", "empty")


class Unreliable:
    """Hands each exchange on to the real socket, but for exchange number `at`, where `fault` happens.

    `closed before`: HAProxy never gets the command; with all others it does, and its answer is what gets lost.
    """

    def __init__(self, path: Path, real: Path, fault: str, at: int, *, lasting: bool = False) -> None:
        self.path, self.real, self.fault, self.at, self.lasting = path, real, fault, at, lasting
        self.commands: list[str] = []
        self._end = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Unreliable:
        self._listener.bind(str(self.path))
        self._listener.listen(16)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(LIMIT)
        self._listener.close()
        self.path.unlink()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener is shut down at the end
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._exchange, args=(client,), daemon=True).start()

    def _exchange(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.settimeout(LIMIT)
            command = client.makefile("rb").readline()
            number = len(self.commands)
            self.commands.append(command.decode().strip())
            wrong = number == self.at or (self.lasting and number > self.at)
            if wrong and self.fault == "closed before":
                return
            answer = self._ask(command)
            if wrong:
                self._spoil(client, answer)
            else:
                client.sendall(answer)

    def _ask(self, command: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(LIMIT)
            sock.connect(str(self.real))
            sock.sendall(command)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    def _spoil(self, client: socket.socket, answer: bytes) -> None:
        if self.fault == "cut off":
            client.sendall(answer[: len(answer) // 2])
        elif self.fault == "garbage":
            client.sendall(GARBAGE)
        elif self.fault == "empty":
            client.sendall(b"\n")
        elif self.fault == "silent":
            self._end.wait(LIMIT)
        elif self.fault == "trickling":
            while not self._end.wait(0.05):
                client.sendall(b"\n")
