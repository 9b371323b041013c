"""What HAProxy counted of each server of a pool from a moment on, by the totals of `show stat`.

Totals begin anew with each worker: a total that is less than before is that of a new one (what the old one still finished
is not seen then).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from proxyswitch.model import Pool
from proxyswitch.proxies.base import Tries
from proxyswitch.proxies.haproxy_socket import Runtime, Stat


class _Totals(NamedTuple):
    requests: int = 0
    failed: int = 0


class Counted:
    """Requests of the servers of one pool. Answers with 5xx and tries without an answer failed; in TCP only the latter."""

    def __init__(self, runtime: Runtime, pool: Pool) -> None:
        """Raises what the socket raises."""
        self._runtime, self._pool = runtime, pool.name
        self._addresses = {server.name: str(server.endpoint) for server in pool.servers}
        self._sums: dict[str, _Totals] = {}
        self._last = {name: _totals(stat) for name, stat in self._stats().items()}

    def tries(self) -> Mapping[str, Tries]:
        found = {}
        for name, stat in self._stats().items():
            now, before = _totals(stat), self._last.get(name, _Totals())
            if now.requests < before.requests:
                before = _Totals()
            known = self._sums.get(name, _Totals())
            new = _Totals(now.requests - before.requests, max(0, now.failed - before.failed))
            self._sums[name] = total = _Totals(known.requests + new.requests, known.failed + new.failed)
            self._last[name] = now
            seconds = stat.answer_ms / 1000 if stat.mode == "http" and stat.answers else None
            found[self._addresses[name]] = Tries(*total, seconds)
        return found

    def _stats(self) -> dict[str, Stat]:
        rows = (stat for stat in self._runtime.stats() if stat.backend == self._pool)
        return {stat.server: stat for stat in rows if stat.server in self._addresses}


def _totals(stat: Stat) -> _Totals:
    """In HTTP a failed try has no answer of the server: it counts beside the answers."""
    without = stat.connect_errors + stat.answer_errors
    if stat.mode == "http":
        return _Totals(stat.answers + without, stat.server_errors + without)
    return _Totals(stat.stot, without)
