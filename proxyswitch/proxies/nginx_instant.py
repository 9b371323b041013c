"""nginx in instant mode: a flag on disk moves the traffic. No reload, no command, no root where the flag may be set.

A `token` holds what the links of the flag folder named before, so that a run that was killed anywhere can be taken back.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from proxyswitch.conf.nginx.instant import BLUE, GREEN, SLOTS, InstantPool
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint, Pool, PoolChange, Problem, Server, ServerChange
from proxyswitch.proxies import nginx_flags
from proxyswitch.proxies.base import Candidate, Closing, Left, NotTaken
from proxyswitch.proxies.nginx_flags import BUCKETS, Flag
from proxyswitch.system import clock, files

SETTLE = 1.0  # seconds without a connection until the old side counts as idle: a worker may have looked just before
ANSWERS = 1.0  # seconds that a connect to the new side may take


class Links(NamedTuple):
    """What the links of a flag folder are to name; empty leaves one as it is. `closing` is what the gate is to show."""

    folder: str
    green: str = ""
    gate: str = ""
    closing: Closing | None = None

    def items(self) -> list[tuple[str, str]]:
        """The links that are meant, by name."""
        both = [(nginx_flags.GREEN, self.green), (nginx_flags.GATE, self.gate)]
        return [(name, target) for name, target in both if target]


def pool(found: InstantPool) -> Pool:
    """The pool with the servers of both slots, as the flag says."""
    flag = nginx_flags.read(found.flags)
    servers = [replace(line.server, slot=slot, params=_params(line.server)) for slot in SLOTS for line in found.lines(slot)]
    return Pool(
        found.name,
        "nginx",
        "http",
        tuple(_as_shared(server, flag.share) for server in servers),
        found.where,
        found.blue.balancer,
        flag.rising,
    )


def _params(server: Server) -> tuple[str, ...]:
    """The weight within its slot is a parameter like others: the share of the slot takes its place."""
    return (*server.params, f"weight={server.weight}") if server.weight != 1 else server.params


def _as_shared(server: Server, share: int) -> Server:
    """The server under a share of green in percent."""
    mine = share if server.slot == GREEN else BUCKETS - share
    return replace(server, weight=mine if 0 < mine < BUCKETS else 1, down=mine == 0, drain=mine == 0)


def candidate(found: InstantPool, change: PoolChange) -> Candidate:
    """The change as the flag can say it. Raises UsageError for what it cannot."""
    now = pool(found)
    share = _share(now, change.result(now.servers))
    before = nginx_flags.read(found.flags)
    after = {server: _as_shared(server, share) for server in now.servers}
    changed = tuple(ServerChange(b, a) for b, a in after.items() if b != a)
    kept = tuple(a for b, a in after.items() if b == a)
    wanted = Flag(share, _rising(before, share))
    return Candidate(now, PoolChange(now.name, changed, kept), wish=Links(found.flags, green=wanted.target))


def _share(now: Pool, after: Counter[Server]) -> int:
    """The share of green when the servers are to be so: a slot goes in and out as a whole."""
    weights = {}
    for slot in SLOTS:
        said = {(0 if s.down else s.weight) for s in after if s.slot == slot}
        if len(said) != 1 or any(s.address not in {o.address for o in now.servers} for s in after):
            raise UsageError(
                f"{now.name} is in instant mode: the servers of a slot go in and out together, and keep their addresses",
                next_step=f"name the slot, as in: proxyswitch set {now.name}/green ready",
            )
        weights[slot] = said.pop()
    total = sum(weights.values())
    if not weights[BLUE] or not weights[GREEN]:
        return BUCKETS if weights[GREEN] else 0
    return min(BUCKETS - 1, max(1, round(BUCKETS * weights[GREEN] / total)))


def _rising(before: Flag, share: int) -> str:
    """Who the canary is: the side that had nothing when it began."""
    if before.rising or not 0 < share < BUCKETS:
        return before.rising
    return GREEN if before.share == 0 else BLUE


def gate(found: InstantPool, closing: Closing | None) -> Links:
    """What closes the pool for maintenance, or opens it. Raises UsageError for an address that cannot be let in."""
    from proxyswitch.proxies import nginx_gate

    if closing is None:
        return Links(found.flags, gate=nginx_flags.OPEN)
    list(nginx_gate.allowed(closing.allow))
    return Links(found.flags, gate=nginx_gate.target(found.name, closing), closing=closing)


def unseen(name: str) -> Problem:
    """What a canary without a log of tries is."""
    return Problem(
        f"{name} has no log of its tries: a canary that fails will not be seen, because nginx gives clients the other"
        " slot's good answer",
        f"to get one: proxyswitch adopt {name} --undo, then adopt it again with --log FILE",
    )


def prepare(candidate: Candidate) -> None:
    """What the gate is to show is there before it closes."""
    links: Links = candidate.wish
    if links.closing:
        from proxyswitch.proxies import nginx_gate

        if not os.path.isdir(links.folder):  # a pool that was generated, and never switched
            nginx_flags.make_folder(links.folder)
        nginx_gate.forget(links.folder, links.gate)
        nginx_gate.make(links.folder, candidate.pool.name, links.closing)


def stale(candidate: Candidate) -> str:
    """What the flag does not say yet; empty when all is so."""
    links: Links | None = candidate.wish
    unlike = [n for n, target in links.items() if nginx_flags.link(links.folder, n) != target] if links else []
    goes = ", ".join(f"{name} goes to {target}" for name, target in links.items() if name in unlike) if links else ""
    return f"no file of the config changes; in the flag folder {goes}" if unlike else ""


def safe(candidate: Candidate) -> None:
    """Raise Failed when nobody answers on the side that is to serve: its backup, the old side, would hide that."""
    waking = [c.after for c in candidate.change.servers if c.before and c.after and c.before.down and not c.after.down]
    dead = [str(s.endpoint) for s in waking if s.endpoint and not _answers(s.endpoint)]
    if waking and len(dead) == len(waking):
        raise Failed(
            f"nothing answers at {', '.join(dead)}, where {candidate.pool.name} is to go",
            next_step="start the new version first; --force switches all the same",
        )


def _answers(endpoint: Endpoint) -> bool:
    from proxyswitch.system import net

    try:
        sock = net.try_connect(endpoint, ANSWERS)
    except OSError:
        return False
    if sock:
        sock.close()
    return True


def capture(candidate: Candidate) -> dict[str, Any]:
    """What the links that are to be set name now."""
    links: Links = candidate.wish
    return {"flags": links.folder, "links": {name: nginx_flags.link(links.folder, name) for name, _ in links.items()}}


def apply(candidate: Candidate) -> None:
    """Set the flag: one rename of a link."""
    links: Links = candidate.wish
    for name, target in links.items():
        nginx_flags.set_link(links.folder, name, target)


def prove(candidate: Candidate) -> dict[str, Any]:
    """Read back, and return the old side. Raises NotTaken."""
    if stale(candidate):
        raise NotTaken(f"the flag of {candidate.pool.name} was set by somebody else at the same moment")
    return old_side(s for s in candidate.change.wanted if s.down)


def revert(token: dict[str, Any]) -> None:
    """The flag as it was before."""
    files.clear(token["flags"])
    missing = {nginx_flags.GREEN: Flag(0).target, nginx_flags.GATE: nginx_flags.OPEN}
    for name, target in token["links"].items():
        if nginx_flags.link(token["flags"], name) != target:
            nginx_flags.set_link(token["flags"], name, target or missing[name])


def old_side(servers: Iterable[Server]) -> dict[str, Any]:
    """Those servers as data that `Watch` takes."""
    return {"endpoints": [str(s.endpoint) for s in servers if s.endpoint]}


def is_token(token: Any) -> bool:
    """True for what `capture` or `old_side` made."""
    return isinstance(token, dict) and ("flags" in token or "endpoints" in token)


class Watch:
    """Looks whether nginx, whose processes `owners` tells, still has connections to the old side.

    A request whose body nginx still buffers has none: when the old side is gone by then, it goes to the other slot, which
    each slot has as backup. Those that came just before the flag are there within moments: so it must stay idle.
    """

    def __init__(self, owners: Callable[[], list[int]]) -> None:
        self.owners = owners
        self.idle_since: float | None = None

    def left(self, token: dict[str, Any]) -> Left | None:
        """What is still there; None once it was idle for SETTLE seconds."""
        from proxyswitch.system import net

        endpoints = [Endpoint.parse(text) for text in token["endpoints"]]
        try:
            owners = self.owners()
        except Failed as error:
            return Left(1, error.what)
        counts = {str(e): n for e, n in net.connections(endpoints, owners).items() if n}
        if counts:
            self.idle_since = None
            total = sum(counts.values())
            noun = "connection" if total == 1 else "connections"
            return Left(total, f"{total} {noun} to {', '.join(counts)}")
        self.idle_since = clock.now() if self.idle_since is None else self.idle_since
        if not endpoints or clock.now() - self.idle_since >= SETTLE:
            return None
        return Left(0, f"no connection to {', '.join(token['endpoints'])} any more, for {SETTLE:g} s to be sure")


def trouble(found: InstantPool) -> list[Problem]:
    """What is wrong with the form or the flag of a pool."""
    out = []
    link = os.path.join(found.flags, nginx_flags.GREEN)
    if not os.path.isdir(link):
        says = "leads nowhere" if os.path.islink(link) else "is missing"
        step = f"set it again: proxyswitch switch {found.name} blue, or green"
        out.append(Problem(f"{found.name}: {link} {says}: nginx sends all to blue", step))
    for slot, other in ((BLUE, GREEN), (GREEN, BLUE)):
        backups = {line.server.address for line in found.upstream(slot).lines if line.server.backup}
        missing = [line.server.address for line in found.lines(other) if line.server.address not in backups]
        if missing:
            what = f"{found.upstream(slot).where}: {slot} has no backup {', '.join(missing)}: uploads can fail at a switch"
            out.append(Problem(f"{found.name}: {what}", "add it there as: server ADDRESS backup max_fails=0;"))
    return out
