"""Telling HAProxy of a change, the proof that it took it, and the way back.

The files are written before; here the running process follows. A `token` holds how every server ran before, so that a run
that was killed anywhere can be taken back.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from proxyswitch import polling
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import ProcessId, Server, ServerChange, ServerState
from proxyswitch.proxies import haproxy_marks, haproxy_old_side, haproxy_reload, haproxy_states, haproxy_wishes
from proxyswitch.proxies.base import Candidate, NotTaken
from proxyswitch.proxies.haproxy_old_side import OldSide
from proxyswitch.proxies.haproxy_socket import StillUsed
from proxyswitch.proxies.haproxy_wishes import Wish

if TYPE_CHECKING:
    from proxyswitch.proxies.haproxy import Haproxy

RELOAD = "reload"
READING_BACK = 2.0  # seconds
REMOVING = 2.0  # seconds that a removed server gets to lose its last connections


def apply(proxy: Haproxy, candidate: Candidate, token: Any) -> None:
    """Tell it. Raises what the socket raises, or NotTaken."""
    if token["mode"] == RELOAD:
        assert proxy.found.instance  # noqa: S101  # it has files, and runs
        haproxy_reload.reload(proxy.found.instance, haproxy_reload.from_data(token["reload"]))
        return
    pool = candidate.pool.name
    _add(proxy, pool, [c.after for c in candidate.change.servers if c.before is None and c.after])
    _tell(proxy, pool, _wishes(proxy, candidate))
    _remove(proxy, pool, [c.before for c in candidate.change.servers if c.after is None and c.before])


def _wishes(proxy: Haproxy, candidate: Candidate) -> list[Wish]:
    """How the pool's servers are to run; those that the file loses go out first."""
    gone = [c.before for c in candidate.change.servers if c.after is None and c.before]
    return proxy.wishes(candidate) + [Wish(s.name, ServerState.MAINT) for s in gone]


def _tell(proxy: Haproxy, pool: str, wishes: list[Wish]) -> None:
    if proxy.runtime:
        haproxy_wishes.tell(proxy.runtime, pool, wishes, proxy.rows(pool))


def _add(proxy: Haproxy, pool: str, servers: list[Server]) -> None:
    for server in servers:
        if proxy.runtime and server.name not in proxy.rows(pool):
            proxy.runtime.add_server(pool, server.name, str(server.endpoint), server.params)
            if "check" in server.params:
                proxy.runtime.enable_health(pool, server.name)


def _remove(proxy: Haproxy, pool: str, servers: list[Server]) -> None:
    """A server that connections still hold stays behind in maintenance until the next reload: the file has it no more."""
    for server in servers:
        polling.until(lambda name=server.name: _removed(proxy, pool, name), REMOVING, first=0.005, longest=0.05)  # type: ignore[misc]


def _removed(proxy: Haproxy, pool: str, name: str) -> bool | None:
    if proxy.runtime and name in proxy.rows(pool):
        try:
            proxy.runtime.del_server(pool, name)
        except StillUsed:
            return None
    return True


def prove(proxy: Haproxy, candidate: Candidate, token: Any) -> Any:
    """Read back what runs, and write what is to last. Returns the old side. Raises NotTaken, and what the socket raises."""
    if token["mode"] == RELOAD:
        _prove_reload(proxy, token)
        _bring_back(proxy, candidate, token)
    if proxy.runtime:
        _tell(proxy, candidate.pool.name, proxy.wishes(candidate) if token["mode"] == RELOAD else [])
        _read_back(proxy, candidate.pool.name, proxy.wishes(candidate))
    proxy.refresh(candidate.pool.name if token["mode"] != RELOAD else "")
    if proxy.found.names:
        haproxy_marks.remember(proxy.known, proxy.conf, [] if token["mode"] == RELOAD else token["pending"])
    return haproxy_old_side.as_data(_old_side(proxy, candidate, token))


def _prove_reload(proxy: Haproxy, token: Any) -> None:
    haproxy_reload.prove(haproxy_reload.from_data(token["reload"]), max(3.0, proxy.options.reload_timeout))
    proxy.look_again()


def _read_back(proxy: Haproxy, pool: str, wishes: list[Wish]) -> None:
    """Some versions set an address a moment after they have answered."""
    unlike: list[str] = []

    def look() -> bool | None:
        nonlocal unlike
        unlike = list(haproxy_wishes.unlike(wishes, proxy.rows(pool)))
        return None if unlike else True

    if not polling.until(look, READING_BACK, first=0.005, longest=0.05):
        raise NotTaken(f"HAProxy was told, but does not run {pool} so: {'; '.join(unlike)}")


def _bring_back(proxy: Haproxy, candidate: Candidate, token: Any) -> None:
    """A reload forgets what the running process alone knew. Servers that the change does not speak of are told again.

    Where somebody else's edits went live with it, addresses and weights are as the file says now.
    """
    told = {(candidate.pool.name, wish.server) for wish in _wishes(proxy, candidate)}
    now = proxy.runtime.servers() if proxy.runtime else []
    for pool, wishes in _before(token).items():
        rows = {row.server: row for row in now if row.backend == pool}
        again = [w for w in wishes if w.server in rows and (pool, w.server) not in told]
        if token["pending"]:
            again = [w._replace(weight=None, endpoint=None) for w in again]
        if proxy.runtime:
            haproxy_wishes.tell(proxy.runtime, pool, again, rows)


def _before(token: Any) -> dict[str, list[Wish]]:
    """How every server ran, by pool."""
    found: dict[str, list[Wish]] = {}
    for pool, *data in token.get("rows", ()):
        found.setdefault(pool, []).append(haproxy_wishes.from_data(data))
    return found


def _old_side(proxy: Haproxy, candidate: Candidate, token: Any) -> OldSide:
    """The servers that are out now, the addresses that were left, and the workers from before."""
    pool = candidate.pool.name
    out = tuple((pool, wish.server) for wish in _wishes(proxy, candidate) if wish.state is not ServerState.READY)
    keeps = proxy.backend(proxy.known, pool).keeps() if proxy.found.names else ""
    workers = proxy.may_hold()
    if token["mode"] == RELOAD:
        state = haproxy_reload.from_data(token["reload"])
        workers = [*state.current, *state.old]
    left = tuple((at, pool, name) for change in candidate.change.servers for at, name in _left(change))
    return OldSide(out, left, tuple(ProcessId(*w) for w in workers), ((pool, keeps),) if keeps else ())


def _left(change: ServerChange) -> list[tuple[str, str]]:
    """The address that a server had before it got another, with its name."""
    before, after = change.before, change.after
    if not before or not after or before.address == after.address or before.down or not before.endpoint:
        return []
    return [(str(before.endpoint), after.name)]


def revert(proxy: Haproxy, pool: str, token: Any, *, applied: bool) -> None:
    """The files are as before again: make what runs so too. Raises NotTaken, and what the socket raises."""
    proxy.config()
    if token is None:  # it did not run then: what runs now has loaded some of the files
        _as_the_file_says(proxy, pool)
        return
    # a reload that was not taken has changed nothing, and a process that tried to take over can have cost us the socket
    if token["mode"] != RELOAD or not haproxy_reload.untouched(haproxy_reload.from_data(token["reload"])):
        _run_again(proxy, pool, token)
        _state_files_follow(proxy, pool)
    else:
        with contextlib.suppress(Failed, UsageError, OSError):  # what they no longer say is left to the config
            proxy.refresh(pool)
    if proxy.found.names and applied:
        haproxy_marks.remember(proxy.known, proxy.conf, token["pending"])


def _run_again(proxy: Haproxy, pool: str, token: Any) -> None:
    """Every server is to be as it was, and that is read back."""
    if token["mode"] == RELOAD:
        _load_old_config(proxy)
    _undo_added(proxy, pool, token)
    _undo_removed(proxy, pool, token)
    for name, wishes in _before(token).items():
        rows = proxy.rows(name)
        there = [w for w in wishes if w.server in rows]
        if proxy.runtime:
            haproxy_wishes.tell(proxy.runtime, name, there, rows)
        _read_back(proxy, name, there)


def _state_files_follow(proxy: Haproxy, pool: str) -> None:
    """Where one cannot be written, as on a full disk, it is enough that it says nothing else than what runs."""
    try:
        proxy.refresh(pool)
    except (Failed, UsageError):
        rows = proxy.runtime.servers(pool) if proxy.runtime else []
        if any(haproxy_states.outdated(proxy.known, proxy.folder, rows)):
            raise


def _load_old_config(proxy: Haproxy) -> None:
    """By a reload of our own: who else has reloaded meanwhile has loaded our files."""
    assert proxy.found.instance  # noqa: S101  # it has files, and runs
    now = haproxy_reload.capture(proxy.found.instance, proxy.socket)
    haproxy_reload.reload(proxy.found.instance, now)
    haproxy_reload.prove(now, max(3.0, proxy.options.reload_timeout))
    proxy.look_again()


def _undo_added(proxy: Haproxy, pool: str, token: Any) -> None:
    """Servers that were added meanwhile go out and away."""
    if not proxy.runtime or token["mode"] == RELOAD:
        return
    known = {wish.server for wish in _before(token).get(pool, [])}
    new = [name for name in proxy.rows(pool) if name not in known]
    _tell(proxy, pool, [Wish(name, ServerState.MAINT) for name in new])
    _remove(proxy, pool, [Server("", name=name) for name in new])


def _undo_removed(proxy: Haproxy, pool: str, token: Any) -> None:
    """Servers that are gone meanwhile come back as the file has them. Raises NotTaken when it does not."""
    missing = {wish.server for wish in _before(token).get(pool, [])}.difference(proxy.rows(pool))
    servers = [s for s in proxy.pool(pool).servers if s.name in missing] if missing else []
    _add(proxy, pool, servers)
    lost = missing.difference(s.name for s in servers)
    if lost:
        raise NotTaken(f"HAProxy has {pool}/{', '.join(sorted(lost))} no more, and neither has the file")


def _as_the_file_says(proxy: Haproxy, pool: str) -> None:
    """Servers alone could be told, but more than servers can have changed in the files that it was started with."""
    _load_old_config(proxy)
    if proxy.runtime:
        wishes = [haproxy_wishes.wish_of(server) for server in proxy.pool(pool).servers]
        _tell(proxy, pool, wishes)
        _read_back(proxy, pool, wishes)
