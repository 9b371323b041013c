"""`init-state`, from HAProxy 3.1 on: a server that becomes ready is down until its first check.

Debian 12 has no such HAProxy: that of a newer release runs here, in the folder of that release.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from proxyswitch.system import signals
from tests.e2e.haproxy_pairs import done
from tests.e2e.haproxy_support import CONF, POOLS, HaproxyBench
from tests.e2e.support import eventually
from tests.generate import matrix
from tests.ports import free_port

SLOW_CHECKS = CONF + POOLS.replace("check inter 200ms", "check inter 2s init-state {word}")


@pytest.fixture(params=["up", "down"])
def newer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HaproxyBench]:
    """A pair behind it, of which only the runtime socket is known: its config has other paths in there."""
    root = matrix.copy("sid", tmp_path)
    place = HaproxyBench(root.folder / "srv", port=free_port())
    place.folder.mkdir(exist_ok=True)
    try:
        place.blue, place.green = place.instance("1"), place.instance("2")
        root.put("/srv/haproxy.cfg", place.filled(SLOW_CHECKS, folder="/srv", word=request.param))
        started = root.run("haproxy", "-D", "-p", "/srv/haproxy.pid", "-f", "/srv/haproxy.cfg")
        assert started.returncode == 0, started.stderr
        place.chief = place.in_pidfile()
        yield place
    finally:
        if place.chief:
            signals.send(place.chief, signals.KILL)
        place.chief = None
        place.stop()


@pytest.mark.root
def test_a_switch_does_not_leave_the_pool_without_a_server(newer: HaproxyBench) -> None:
    """The old side goes out at once: the new one must be up by then."""
    assert eventually(lambda: {row["srv_op_state"] for row in newer.servers.values()} == {"0", "2"})
    with Load(Endpoint("127.0.0.1", newer.port), keepalive=2, closing=2, idle=0, long=0) as load:
        for number in range(6):
            slot = ("app-green", "app-blue")[number % 2]
            done(newer.run("switch", "app_backend", slot, "--drain", "30s", "--haproxy-socket", str(newer.admin)))
    seen = load.stop()
    assert (seen.failures, set(seen.by_version)) == (0, {"1", "2"}), seen.errors
