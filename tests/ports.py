"""Ports for tests: free ones, as the kernel says, and no two tests that run get the same one.

They lie below those that the kernel gives to connections: a load test opens thousands of these, each of which could take
the port of a test beside it between our question and the first listener there.
"""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

LOWEST = 10_000
HIGHEST = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
MINE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def _share() -> Iterator[int]:
    """The ports of this process, over and over: what ran on one that comes again has ended long ago."""
    size = (HIGHEST - LOWEST) // WORKERS
    mine = range(LOWEST + MINE * size, LOWEST + (MINE + 1) * size)
    start = random.randrange(size)  # another place each time: the connections of the run before may not have ended
    while True:
        yield from mine[start:]
        yield from mine[:start]


PORTS = _share()


def free_port() -> int:
    """A port that nobody has had for a long time."""
    return next(port for port in PORTS if _is_free(port))


def free_range(count: int) -> int:
    """The first of so many free ports in a row."""
    found: list[int] = []
    while len(found) < count:
        port = free_port()
        found = [*found, port] if found and port == found[-1] + 1 else [port]
    return found[0]


def _is_free(port: int) -> bool:
    """True when nothing of the machine is bound there, whatever its address."""
    with socket.socket() as sock:
        try:
            sock.bind(("", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True
