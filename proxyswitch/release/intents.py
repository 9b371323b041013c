"""What a person wants of a pool, and what that means for its server lines. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from difflib import get_close_matches
from itertools import count, islice
from math import gcd
from typing import Any

from msgspec import Struct

from proxyswitch.errors import ProxyswitchError, UsageError
from proxyswitch.model import Endpoint, Pool, PoolChange, Server, ServerChange, ServerState, serving, with_state


class Intent(Struct, frozen=True, tag=True):
    """A wish about one pool."""


class SwitchTo(Intent, frozen=True):
    """All traffic goes to these targets, addresses or names of servers, and to nothing else.

    `reuse`: a new address may also take over the line of a server that is out, as those of a runner do that gives out ever
    new ones: else the pool would grow with each of them.
    """

    targets: tuple[str, ...]
    reuse: bool = False


class SetState(Intent, frozen=True):
    """One server is ready for traffic, or out of it."""

    server: str
    state: ServerState


class SetStates(Intent, frozen=True):
    """Some servers are ready for traffic, or out of it, in one change."""

    servers: tuple[str, ...]
    state: ServerState


class Share(Intent, frozen=True):
    """The new side gets so many percent of the traffic and the old side the rest; with 100 the old side is out.

    `weights` of the old and the new side are those that they had before, and get back at the end. `added`: the new side has
    no line of its own in the pool: it gets one for the time being, and in the end that of the old. `backup`: it is a backup.
    """

    new: str
    old: str
    percent: int
    weights: tuple[int, int] = (1, 1)
    added: bool = False
    backup: bool = False


class SetWeights(Intent, frozen=True):
    """Shares: a weight for each named server; 0 takes it out."""

    weights: tuple[tuple[str, int], ...]


class AsItIs(Intent, frozen=True):
    """What runs becomes as the lines of the pool say: nothing else changes."""


class Exactly(Intent, frozen=True):
    """This very change, for instance the inverse of an earlier one. `lenient` leaves out what no longer fits. `restores` is
    the id of the change before which the files were so: even their spaces become as they were then."""

    change: PoolChange
    lenient: bool = False
    words: str = "take the earlier change back"
    restores: str = ""


class Adopt(Intent, frozen=True):
    """The pool goes into instant mode: see `Adopting`."""

    blue: tuple[str, ...] = ()
    green: tuple[str, ...] = ()
    flags: str = ""
    sticky: str = ""
    log: str = ""


class Unadopt(Intent, frozen=True):
    """The pool goes back to the form that it had before it was adopted."""


class Maintain(Intent, frozen=True):
    """The pool is closed for maintenance, or opened again: see `Closing`."""

    closed: bool
    page: str = ""
    retry_after: int = 120
    allow: tuple[str, ...] = ()


class Canary(Intent, frozen=True):
    """The new side of a pool in instant mode gets so many percent of the clients."""

    percent: int


class Changed(ProxyswitchError):
    """The pool is not as the wanted change expects it: somebody changed it since."""


def changes(intent: Intent, pool: Pool, *, force: bool = False) -> PoolChange:
    """What has to become of the pool's server lines; no server changes when all is so already.

    Raises UsageError for a server that is not there and for what would leave the pool without a live server.
    """
    wanted = list(_wanted(intent, pool))
    kept = tuple(c.after for c in wanted if c.before == c.after and c.after)
    change = PoolChange(pool.name, tuple(c for c in wanted if c.before != c.after), kept)
    if change.servers and not force:
        _guard(pool, change)
    return change


def _wanted(intent: Intent, pool: Pool) -> Iterable[ServerChange]:
    ways: dict[type[Intent], Callable[[Any, Pool], Iterable[ServerChange]]] = {
        SwitchTo: _switch,
        SetState: lambda wish, pool: _set_states((wish.server,), wish.state, pool),
        SetStates: lambda wish, pool: _set_states(wish.servers, wish.state, pool),
        SetWeights: _set_weights,
        Share: _share,
        Exactly: _exactly,
        Canary: _canary,
        AsItIs: lambda _, pool: [ServerChange(s, replace(s, drain=s.down)) for s in pool.servers],
    }
    if type(intent) not in ways:
        raise NotImplementedError(type(intent))
    return ways[type(intent)](intent, pool)


# What clients get when no server is left.
_STATUS = {"nginx": 502, "haproxy": 503}


def _guard(pool: Pool, change: PoolChange) -> None:
    after = list(change.result(pool.servers).elements())
    if not serving(pool.proxy, after):
        raise UsageError(
            f"that would leave {pool.name} without a live server: every request would fail with {_STATUS[pool.proxy]}",
            next_step="switch to another server first: proxyswitch switch " + pool.name + " ADDRESS",
        )


def _switch(intent: SwitchTo, pool: Pool) -> Iterable[ServerChange]:
    """Targets that stand in the pool come to life; others take over the lines of live servers that are none, in order."""
    lines = dict.fromkeys(pool.find(t) for t in intent.targets)  # a target that is named twice counts once
    named = [s for found in lines for s in found]
    new = list(dict.fromkeys(_address(t, pool) for t in intent.targets if not pool.find(t)))
    if new and pool.instant:
        raise _neither_slot(pool, new)
    others = [s for s in pool.live if s not in named]
    idle = [s for s in pool.servers if s.down and not s.backup and s not in named] if intent.reuse else []
    taken_over, rest = [*others, *idle][: len(new)], others[len(new) :]
    yield from (ServerChange(s, _awake(s, pool)) for s in named)
    yield from (
        ServerChange(s, replace(s, address=a, down=False, drain=False)) for s, a in zip(taken_over, new, strict=False)
    )
    yield from (ServerChange(s, after) for s, after in _aside(pool, named, rest) if s not in taken_over)
    yield from (ServerChange(None, _added(pool, a, i)) for i, a in enumerate(new[len(taken_over) :]))


def _neither_slot(pool: Pool, addresses: list[str]) -> UsageError:
    slots = ", ".join(f"{s.slot} is {s.address}" for s in pool.servers)
    return UsageError(
        f"{', '.join(addresses)}: {pool.name} is in instant mode, and this is neither of its slots: {slots}",
        next_step=f"for other addresses: proxyswitch adopt {pool.name} --undo, then adopt it again with them",
    )


def _awake(server: Server, pool: Pool) -> Server:
    """A target comes to life. A backup of nginx changes places with the live side; HAProxy's becomes live as it is."""
    return replace(server, down=False, drain=False, backup=server.backup and pool.proxy == "haproxy")


def _aside(pool: Pool, named: list[Server], rest: list[Server]) -> Iterable[tuple[Server, Server]]:
    """What becomes of the servers that are no target."""
    swapped = any(s.backup for s in named)  # the pool keeps its idle side as backup: the sides change places
    for server in rest:
        yield server, replace(server, backup=True) if swapped and pool.proxy == "nginx" else _out(server)
    if pool.proxy != "haproxy":
        return
    for server in pool.servers:  # what is out already, and backups, which HAProxy would ask before the target
        if server not in named and server not in rest and (server.down or (swapped and server.backup)):
            yield server, _out(server)


def _out(server: Server) -> Server:
    return with_state(server, ServerState.DRAIN)


def _added(pool: Pool, address: str, number: int) -> Server:
    """A new line. A server of HAProxy needs a name, and is checked as its neighbours are."""
    if pool.proxy != "haproxy":
        return Server(address)
    names = {s.name for s in pool.servers}
    free = (f"{pool.name}-{n}" for n in count(len(names) + 1) if f"{pool.name}-{n}" not in names)
    checked = any("check" in s.params for s in pool.servers)
    return Server(address, params=("check",) if checked else (), name=next(islice(free, number, None)))


def _address(target: str, pool: Pool) -> str:
    try:
        endpoint = Endpoint.parse(target)
        return f"unix@{endpoint.path}" if endpoint.path and pool.proxy == "haproxy" else str(endpoint)
    except ValueError as error:
        hint = _meant(target, pool) or f"{pool.name} has {_named(pool) or 'no server'}"
        raise UsageError(
            f"{error}", next_step=f"give an address as 127.0.0.1:3002, or a server of the pool: {hint}"
        ) from None


def _set_states(names: tuple[str, ...], state: ServerState, pool: Pool) -> Iterable[ServerChange]:
    return [ServerChange(s, with_state(s, state)) for name in names for s in _found(name, pool)]


def _set_weights(intent: SetWeights, pool: Pool) -> Iterable[ServerChange]:
    seen: set[tuple[Server, ...]] = set()
    for name, weight in intent.weights:
        found = _found(name, pool)
        if found in seen:
            raise UsageError(f"{name} is named twice: which weight is it to have?")
        seen.add(found)
        for server in found:
            after = _out(server) if weight == 0 else replace(server, weight=weight, down=False, drain=False)
            yield ServerChange(server, after)


def _share(intent: Share, pool: Pool) -> Iterable[ServerChange]:
    """By weights, in the smallest whole numbers; a balancer that keeps clients by their address moves so many of them."""
    if pool.instant:
        yield from _canary(intent, pool)
        return
    fresh = not pool.find(intent.new)
    news = [Server(_address(intent.new, pool))] if fresh else list(_found(intent.new, pool))
    if fresh and pool.proxy == "haproxy":
        news = [_added(pool, news[0].address, 0)]
    olds = _found(intent.old, pool)
    if intent.percent == 100:
        yield from _all_moved(intent, news, olds, fresh=fresh)
        return
    common = gcd(intent.percent, 100 - intent.percent)
    for servers, share in ((news, intent.percent), (olds, 100 - intent.percent)):
        for server in servers:
            after = replace(server, weight=share // common, down=False, drain=False, backup=False)
            yield ServerChange(None if fresh and servers is news else server, after)


def _all_moved(intent: Share, news: list[Server], olds: tuple[Server, ...], *, fresh: bool) -> Iterable[ServerChange]:
    before, after = intent.weights
    for new, old in zip(news, olds, strict=False):
        if intent.added:  # the old line goes on with the new address, as in a switch
            yield from () if fresh else (ServerChange(new, None),)
            yield ServerChange(old, replace(old, address=new.address, weight=before))
            continue
        yield ServerChange(new, replace(new, weight=after, down=False, drain=False, backup=False))
        out = replace(old, backup=True) if intent.backup else _out(old)
        yield ServerChange(old, replace(out, weight=before))


def sharing(pool: Pool, new: str, old: str) -> Share:
    """The whole move from the one side to the other, of which a canary makes a part. Raises UsageError."""
    there, leaving = pool.find(new), _found(old, pool)
    if len(there) > 1 or len(leaving) > 1:
        raise UsageError(
            f"{pool.name} has several lines for one of {new} and {old}: a canary needs one a side ({pool.where})"
        )
    weights = (leaving[0].weight, there[0].weight if there else leaving[0].weight)
    return Share(new, old, 100, weights, added=not there, backup=bool(there) and there[0].backup)


def _canary(intent: Canary | Share, pool: Pool) -> Iterable[ServerChange]:
    if not pool.instant:
        raise UsageError(
            f"{pool.name} is not in instant mode: a share that keeps each client on its side needs that",
            next_step=f"move it there: proxyswitch adopt {pool.name}; or give weights: proxyswitch weight {pool.name} …",
        )
    new = pool.rising or next(s.slot for s in pool.servers if s.down)
    for server in pool.servers:
        share = intent.percent if server.slot == new else 100 - intent.percent
        out = share == 0
        yield ServerChange(server, replace(server, weight=1 if out else share, down=out, drain=out))


def _meant(word: str, pool: Pool) -> str:
    """`did you mean …?`, of the slots, names and addresses that are there; nothing where none is like it."""
    known = dict.fromkeys(name for s in pool.servers for name in (s.slot, s.label) if name)
    close = get_close_matches(word, known, 1, 0.6)
    return f"did you mean {close[0]}?" if close else ""


def _named(pool: Pool) -> str:
    return ", ".join(f"{s.slot} ({s.label})" if s.slot else s.label for s in pool.servers)


def _found(name: str, pool: Pool) -> tuple[Server, ...]:
    servers = pool.find(name)
    if not servers:
        hint = _meant(name, pool) or f"it has {_named(pool) or 'none'}"
        raise UsageError(f"no server {name!r} in the pool {pool.name} ({pool.where}); {hint}")
    return servers


def _exactly(intent: Exactly, pool: Pool) -> Iterable[ServerChange]:
    if intent.change.fits(pool.servers):
        return map(_gently, intent.change.servers)
    if not intent.lenient:
        raise Changed(f"the pool {pool.name} was changed since: {difference(intent.change, pool)}")
    fitting = [c for c in intent.change.servers if c.before is None or c.before in pool.servers]
    return [c for c in fitting if c.before is not None or c.after not in pool.servers]


def _gently(change: ServerChange) -> ServerChange:
    """A server that goes out again finishes what it has."""
    before, after = change.before, change.after
    if before and after and after.down and not before.down:
        return ServerChange(before, replace(after, drain=True))
    return change


def difference(change: PoolChange, pool: Pool) -> str:
    """What the change expects and what is there, in one line."""
    expected = ", ".join(describe(c.before) for c in change.servers if c.before)
    there = ", ".join(describe(s) for s in pool.servers)
    return f"expected {expected or 'nothing'}; it has {there or 'nothing'}"


def described(before: Server | None, after: Server | None) -> str:
    """What becomes of a server, in a few words; the address of one with a name only where it changes."""
    if before and after and before.name and before.address != after.address:
        return f"{describe(before)} {before.address} → {describe(after)} {after.address}"
    return f"{describe(before) if before else 'nothing'} → {describe(after) if after else 'nothing'}"


def shares(servers: Iterable[Server | None]) -> str:
    """The slots of a pool in instant mode with their shares."""
    found = {s.slot: s.weight for s in servers if s and not s.down}
    return ", ".join(f"{slot} {weight} %" if len(found) > 1 else slot for slot, weight in sorted(found.items()))


def describe(server: Server) -> str:
    """A server in a few words."""
    marks = [f"weight={server.weight}"] if server.weight != 1 else []
    marks += [flag for flag in ("backup", "down") if getattr(server, flag)]
    return " ".join([server.label, *marks])
