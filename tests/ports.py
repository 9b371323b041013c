"""Ports for tests: from the kernel, and no two tests get the same one, however long it is until they listen there.

Between the kernel's answer and the first listener another test, in this process or beside it, could be given the port too.
"""

from __future__ import annotations

import os
from pathlib import Path

from proxyswitch.model import Endpoint
from proxyswitch.system import net

GIVEN: set[int] = set()
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
MINE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def free_port() -> int:
    """A port that nobody has had before in this run: each of the processes side by side has its own share of them."""
    while True:
        port = net.free_port()
        if port // 2 % WORKERS == MINE and port not in GIVEN:  # the kernel gives ports of one parity only
            GIVEN.add(port)
            return port


def free_range(count: int) -> int:
    """The first of so many free ports in a row, below those that the kernel gives to anybody meanwhile."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    share = (lowest - 20_000) // WORKERS
    for first in range(20_000 + MINE * share, 20_000 + (MINE + 1) * share - count, count):
        ports = range(first, first + count)
        if GIVEN.isdisjoint(ports) and not any(net.is_listening(Endpoint("127.0.0.1", port)) for port in ports):
            GIVEN.update(ports)
            return first
    raise AssertionError(f"no {count} ports in a row are free")
