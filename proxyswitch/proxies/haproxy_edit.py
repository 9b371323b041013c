"""A change of a pool as edits of HAProxy's config, and whether it takes a reload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxyswitch.conf.haproxy.pools import Backend
from proxyswitch.conf.text import apply
from proxyswitch.errors import UsageError
from proxyswitch.model import Endpoint, PoolChange, Server
from proxyswitch.proxies import haproxy_states
from proxyswitch.proxies.base import Candidate, FileChange
from proxyswitch.proxies.haproxy_socket import MAX_WEIGHT

if TYPE_CHECKING:
    from proxyswitch.proxies.haproxy import Haproxy

# Algorithms that take a new weight, and a new server, while they run (configuration manual, `balance`).
DYNAMIC = ("", "roundrobin", "leastconn", "first", "random")
ADDABLE = frozenset({"check"})  # keywords of a line of ours that `add server` takes


def candidate(proxy: Haproxy, name: str, change: PoolChange) -> Candidate:
    """The edits of the files. Raises UsageError for what HAProxy could not run."""
    from proxyswitch.conf.haproxy import edits

    backend = proxy.backend(proxy.known, name)
    for server in change.wanted:
        _check(server)
    data = apply(backend.document.data, edits.edit(backend, change))
    document = backend.document
    changed = [FileChange(document.path, document.real, document.data, data)] if data != document.data else []
    verified = {document.real: data}
    if not proxy.running():
        changed += haproxy_states.without(proxy.known, proxy.folder, name, change.names)
    return Candidate(backend.pool(), change, tuple(changed), lambda: _verify(proxy, backend, verified, change))


def _check(server: Server) -> None:
    if server.weight > MAX_WEIGHT:
        raise UsageError(
            f"{server.name}: weight {server.weight} is too much: HAProxy has weights from 0 to {MAX_WEIGHT}",
            next_step="take smaller numbers of the same proportion",
        )


def _verify(proxy: Haproxy, backend: Backend, changed: dict[str, bytes], change: PoolChange) -> None:
    """Is the difference exactly the intended one? Asked of our own parser, then of the second reader."""
    from proxyswitch.conf.haproxy import referee, verify

    after = verify.verify(proxy.known, backend, changed, change)
    referee.check(backend, after, change)


def structural(proxy: Haproxy, candidate: Candidate) -> bool:
    """True for what the running process cannot be told."""
    if _unloaded(proxy, candidate):
        return True
    if not candidate.change.servers:
        return False
    backend = proxy.backend(proxy.known, candidate.pool.name)
    return any(_structural(proxy, backend, c.before, c.after) for c in candidate.change.servers)


def _unloaded(proxy: Haproxy, candidate: Candidate) -> bool:
    """True when the change speaks of a server line that somebody wrote after HAProxy last loaded the file."""
    added = {c.after.name for c in candidate.change.servers if c.after and c.before is None}
    return not {s.name for s in candidate.change.wanted} - added <= set(proxy.rows(candidate.pool.name))


def _structural(proxy: Haproxy, backend: Backend, before: Server | None, after: Server | None) -> bool:
    if before is None or after is None:
        return not _can_add(proxy, backend, before or after)
    if before.backup != after.backup:
        return True
    if before.weight != after.weight and not _dynamic(backend):
        return True
    return before.address != after.address and not (_has_ip(before.endpoint) and _has_ip(after.endpoint))


def _has_ip(endpoint: Endpoint | None) -> bool:
    """True where the running process can be told another address: not for a unix socket."""
    return endpoint is not None and not endpoint.path


def _dynamic(backend: Backend) -> bool:
    if backend.balancer in DYNAMIC:
        return True
    return any(words[1:2] == ["consistent"] for words in backend.said(b"hash-type")[-1:])


def _can_add(proxy: Haproxy, backend: Backend, server: Server | None) -> bool:
    """A server that is added while HAProxy runs knows nothing of `default-server`, and only a few keywords."""
    from proxyswitch.proxies.haproxy_channel import DYNAMIC_SERVERS, Unsupported, needs

    if server is None or not proxy.runtime or not _dynamic(backend) or not ADDABLE.issuperset(server.params):
        return False
    if backend.defaults.params or not _has_ip(server.endpoint):
        return False
    try:
        needs(DYNAMIC_SERVERS, proxy.runtime.version())
    except Unsupported:
        return False
    return True
