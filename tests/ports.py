"""Ports for tests: from the kernel, and no two tests get the same one, however long it is until they listen there.

Between the kernel's answer and the first listener another test, in this process or beside it, could be given the port too.
"""

from __future__ import annotations

import os

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
