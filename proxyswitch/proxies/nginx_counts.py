"""What nginx counted of each server of a pool from a moment on, by a log of tries.

A pool in instant mode has one after `adopt --log`; for another the person names one of the same format. nginx may hold lines
back for as long as its `flush` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from proxyswitch.conf.nginx import instant_log
from proxyswitch.model import Endpoint, Pool
from proxyswitch.proxies import nginx_canary, nginx_log
from proxyswitch.proxies.base import Counter, Tries
from proxyswitch.proxies.nginx import Nginx
from proxyswitch.proxies.nginx_log import Tally
from proxyswitch.proxies.nginx_log_follow import Follower


def counter(proxy: Nginx, name: str, log: str) -> Counter | None:
    """None without a log. Raises UsageError where it may not be read."""
    pool, found = proxy.pool(name), proxy.instant(name)
    paths = [log] if log else []
    if found and not log:
        paths = [proxy.file(path) for path in instant_log.logs(proxy.config(), found).paths]
    return Logged(paths, pool) if paths else None


class Logged:
    """Tries at the servers of one pool. The mean time leaves out upgraded connections."""

    def __init__(self, paths: Iterable[str], pool: Pool) -> None:
        self._followers = [Follower(path) for path in paths]
        self._names = dict(chain.from_iterable(_names(server.endpoint) for server in pool.servers))
        self._tally = Tally()

    def tries(self) -> Mapping[str, Tries]:
        for follower in self._followers:
            self._tally += nginx_log.tally(follower.lines(), self._names)
        return {
            name: Tries(counts.attempts - counts.left, counts.failed, counts.times.mean)
            for name, counts in self._tally.slots.items()
        }


def _names(endpoint: Endpoint | None) -> Iterable[tuple[str, str]]:
    """How nginx logs a server, and how we spell it."""
    return [(spelled, str(endpoint)) for spelled in nginx_canary.spelled(endpoint)]
