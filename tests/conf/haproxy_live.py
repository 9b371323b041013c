"""A real HAProxy that runs with a fixture, so that our reading can be compared with what it made of the same text."""

from __future__ import annotations

import csv
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.support import eventually
from tests.ports import free_port

# where they would listen, who they would be, and the states of an earlier life: that is not what is compared
_LISTENS = re.compile(rb'^([ \t]*"?(?:bind|dgram-bind)"?[ \t]+)[^\r\n]*', re.MULTILINE)
_PEER = re.compile(rb"^([ \t]*peer here[ \t]+)\S+", re.MULTILINE)
_HOST = re.compile(
    rb"^[ \t]*(?:chroot |user haproxy|group haproxy|stats socket |default-path |load-server-state-|server-state-)[^\r\n]*",
    re.MULTILINE,
)
ENV = {"LC_ALL": "C"}


def on_loopback(data: bytes) -> bytes:
    """The config with ports of its own, and without what needs rights or files of this machine."""

    def here(found: re.Match[bytes]) -> bytes:
        return found[1] + b"127.0.0.1:%d" % free_port()

    return _HOST.sub(b"", _PEER.sub(here, _LISTENS.sub(here, data)))


@dataclass(frozen=True)
class Live:
    """The admin socket of a HAProxy."""

    path: Path

    def ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(self.path))
            sock.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: sock.recv(1 << 20), b"")).decode()

    def answers(self) -> bool:
        try:
            return "Pid:" in self.ask("show info")
        except OSError:
            return False

    def states(self) -> dict[tuple[str, str], dict[str, str]]:
        """`show servers state` by backend and server."""
        _, header, *lines = self.ask("show servers state").strip().splitlines()
        names = header.removeprefix("# ").split()
        rows = [dict(zip(names, line.split(), strict=True)) for line in lines]
        return {(row["be_name"], row["srv_name"]): row for row in rows}

    def stats(self) -> dict[tuple[str, str], dict[str, str]]:
        """The rows of `show stat`, by proxy and server; `BACKEND` is the pool itself."""
        rows = csv.DictReader(self.ask("show stat").removeprefix("# ").splitlines())
        return {(row["pxname"], row["svname"]): row for row in rows}


@contextmanager
def live(
    haproxy: str, folder: Path, files: Sequence[bytes], cwd: Path | None = None, env: Mapping[str, str] = ENV
) -> Iterator[Live]:
    """HAProxy with these config texts, master and worker; ended afterwards."""
    place = Live(folder / "live.sock")
    names = []
    for number, data in enumerate((*files, f"global\n    stats socket {place.path} level admin\n".encode())):
        names.append(folder / f"{number}.cfg")
        names[-1].write_bytes(data)
    argv = [haproxy, "-db", "-W", *(word for name in names for word in ("-f", str(name)))]
    said = folder / "said"
    with said.open("wb") as file:
        process = subprocess.Popen(argv, cwd=cwd or folder, env=dict(env), stdout=file, stderr=file)
    try:
        assert eventually(lambda: place.answers() or process.poll() is not None)
        assert process.poll() is None, said.read_text(errors="replace")
        yield place
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
