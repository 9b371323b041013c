"""What a person should know of a change although it is right: that it will not last, or that others can undo it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from proxyswitch.conf.haproxy.pools import Backend
from proxyswitch.model import Problem, ServerState
from proxyswitch.proxies.base import Candidate

if TYPE_CHECKING:
    from proxyswitch.proxies.haproxy import Haproxy

FORGETS = Problem(
    "only the running HAProxy is told: it forgets this at its next reload or restart",
    "name its config too, with --haproxy-conf, so that it lasts",
)


def of(proxy: Haproxy, candidate: Candidate) -> Iterator[Problem]:
    """The warnings for a change. Raises what the socket raises."""
    if not proxy.found.names:
        yield FORGETS
    elif proxy.running():
        backend = proxy.backend(proxy.known, candidate.pool.name)
        yield from _alone(proxy, backend)
        yield from _agents(backend, {server.name for server in candidate.change.wanted})


def _alone(proxy: Haproxy, backend: Backend) -> Iterator[Problem]:
    """Servers that take traffic and are in no file: added at runtime, or their line was removed and not reloaded."""
    known = {row.server.name for row in backend.lines}
    for name, row in proxy.rows(backend.name).items():
        if name not in known and row.state is ServerState.READY:
            what = f"{backend.name}/{name} takes traffic too, and only the running HAProxy has it"
            yield Problem(what, "it is gone after a reload")


def _agents(backend: Backend, names: set[str]) -> Iterator[Problem]:
    agents = [row.server.name for row in backend.lines if row.server.name in names and row.agent]
    if agents:
        yield Problem(f"the agent of {', '.join(agents)} can change state and weight again at any time")
