"""Servers with an `agent-check`: the agent may change state and weight at any time, and that is said."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.haproxy_pairs import done, facts, pair, states, versions
from tests.e2e.haproxy_support import POOLS, HaproxyBench
from tests.e2e.support import eventually

pytest_plugins = ["tests.e2e.haproxy_fixtures"]


@contextmanager
def agent() -> Iterator[tuple[int, list[str]]]:
    """An agent as `agent-check` asks it; it answers with the last of what it is to say."""
    words = ["up ready 100%\n"]
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                try:
                    peer, _ = server.accept()
                except TimeoutError:
                    continue
                with peer, contextlib.suppress(OSError):  # HAProxy gives up early where it is told so
                    peer.sendall(words[-1].encode())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], words
        stop.set()
        thread.join()


def test_an_agent_can_change_it_again_and_that_is_said(ha_place: HaproxyBench) -> None:
    with agent() as (port, words):
        checked = f"agent-check agent-port {port} agent-inter 50ms"
        place = pair(ha_place, pools=POOLS.replace("200ms disabled", f"200ms {checked} disabled"))
        result = done(place.run("switch", "app_backend", "app-green"))
        assert "the agent of app-green can change state and weight again at any time" in result.err
        assert versions(place) == {"2"}
        words.append("drain\n")
        assert eventually(lambda: states(place)["app-green"] == "drain")
        assert "app-green" in place.run("show").err


def test_a_weight_that_an_agent_sets_is_no_failure(ha_place: HaproxyBench) -> None:
    with agent() as (port, words):
        words.append("up ready 50%\n")
        checked = f"weight 10 agent-check agent-port {port} agent-inter 20ms"
        place = pair(ha_place, pools=POOLS.replace("200ms  ", f"200ms {checked}  ").replace(" disabled", ""))
        assert eventually(lambda: facts(place)["app-blue"][1] == 5)
        result = done(place.run("weight", "app_backend", "app-blue=20"))
        assert "the agent of app-blue can change state and weight again" in result.err
        assert "weight 20 agent-check" in place.conf.read_text()
