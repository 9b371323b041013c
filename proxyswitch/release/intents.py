"""What a person wants of a pool, and what that means for its server lines. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches

from msgspec import Struct

from proxyswitch.errors import ProxyswitchError, UsageError
from proxyswitch.model import Endpoint, Pool, PoolChange, Server, ServerChange, ServerState, with_state


class Intent(Struct, frozen=True, tag=True):
    """A wish about one pool."""


class SwitchTo(Intent, frozen=True):
    """All traffic goes to these targets, addresses or names of servers, and to nothing else."""

    targets: tuple[str, ...]


class SetState(Intent, frozen=True):
    """One server is ready for traffic, or out of it."""

    server: str
    state: ServerState


class SetWeights(Intent, frozen=True):
    """Shares: a weight for each named server; 0 takes it out."""

    weights: tuple[tuple[str, int], ...]


class Exactly(Intent, frozen=True):
    """This very change, for instance the inverse of an earlier one. `lenient` leaves out what no longer fits."""

    change: PoolChange
    lenient: bool = False


class Changed(ProxyswitchError):
    """The pool is not as the wanted change expects it: somebody changed it since."""


def changes(intent: Intent, pool: Pool, *, force: bool = False) -> PoolChange:
    """What has to become of the pool's server lines; no server changes when all is so already.

    Raises UsageError for a server that is not there and for what would leave the pool without a live server.
    """
    wanted = _wanted(intent, pool)
    change = PoolChange(pool.name, tuple(c for c in wanted if c.before != c.after))
    if change.servers and not force:
        _guard(pool, change)
    return change


def _wanted(intent: Intent, pool: Pool) -> Iterable[ServerChange]:
    match intent:
        case SwitchTo():
            return _switch(intent, pool)
        case SetState():
            return _set_state(intent, pool)
        case SetWeights():
            return _set_weights(intent, pool)
        case Exactly():
            return _exactly(intent, pool)
    raise NotImplementedError(type(intent))


def _guard(pool: Pool, change: PoolChange) -> None:
    after = list(change.result(pool.servers).elements())
    if not any(server.live for server in after):
        raise UsageError(
            f"that would leave {pool.name} without a live server: every request would fail with 502",
            next_step="switch to another server first: proxyswitch switch " + pool.name + " ADDRESS",
        )


def _switch(intent: SwitchTo, pool: Pool) -> Iterable[ServerChange]:
    """Targets that stand in the pool come to life; others take over the lines of live servers that are none, in order."""
    lines = dict.fromkeys(pool.find(t) for t in intent.targets)  # a target that is named twice counts once
    named = [s for found in lines for s in found]
    new = list(dict.fromkeys(_address(t, pool) for t in intent.targets if not pool.find(t)))
    others = [s for s in pool.servers if s.live and s not in named]
    taken_over, rest = others[: len(new)], others[len(new) :]
    swapped = any(s.backup for s in named)  # the pool keeps its idle side as backup: the sides change places
    yield from (ServerChange(s, replace(s, down=False, backup=False)) for s in named)
    yield from (ServerChange(s, replace(s, address=a)) for s, a in zip(taken_over, new, strict=False))
    yield from (ServerChange(s, replace(s, backup=True) if swapped else replace(s, down=True)) for s in rest)
    yield from (ServerChange(None, Server(a)) for a in new[len(taken_over) :])


def _address(target: str, pool: Pool) -> str:
    try:
        return str(Endpoint.parse(target))
    except ValueError as error:
        known = [s.label for s in pool.servers]
        close = get_close_matches(target, known, 1, 0.6)
        hint = f"did you mean {close[0]}?" if close else f"{pool.name} has {', '.join(known) or 'no server'}"
        raise UsageError(
            f"{error}", next_step=f"give an address as 127.0.0.1:3002, or a server of the pool: {hint}"
        ) from None


def _set_state(intent: SetState, pool: Pool) -> Iterable[ServerChange]:
    return [ServerChange(s, with_state(s, intent.state)) for s in _found(intent.server, pool)]


def _set_weights(intent: SetWeights, pool: Pool) -> Iterable[ServerChange]:
    seen: set[tuple[Server, ...]] = set()
    for name, weight in intent.weights:
        found = _found(name, pool)
        if found in seen:
            raise UsageError(f"{name} is named twice: which weight is it to have?")
        seen.add(found)
        for server in found:
            after = replace(server, down=True) if weight == 0 else replace(server, weight=weight, down=False)
            yield ServerChange(server, after)


def _found(name: str, pool: Pool) -> tuple[Server, ...]:
    servers = pool.find(name)
    if not servers:
        known = [s.label for s in pool.servers]
        close = get_close_matches(name, known, 1, 0.6)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known) or 'none'}"
        raise UsageError(f"no server {name!r} in the pool {pool.name} ({pool.where}); {hint}")
    return servers


def _exactly(intent: Exactly, pool: Pool) -> Iterable[ServerChange]:
    if intent.change.fits(pool.servers):
        return intent.change.servers
    if not intent.lenient:
        raise Changed(f"the pool {pool.name} was changed since: {difference(intent.change, pool)}")
    fitting = [c for c in intent.change.servers if c.before is None or c.before in pool.servers]
    return [c for c in fitting if c.before is not None or c.after not in pool.servers]


def difference(change: PoolChange, pool: Pool) -> str:
    """What the change expects and what is there, in one line."""
    expected = ", ".join(describe(c.before) for c in change.servers if c.before)
    there = ", ".join(describe(s) for s in pool.servers)
    return f"expected {expected or 'nothing'}; it has {there or 'nothing'}"


def describe(server: Server) -> str:
    """A server in a few words."""
    marks = [f"weight={server.weight}"] if server.weight != 1 else []
    marks += [flag for flag in ("backup", "down") if getattr(server, flag)]
    return " ".join([server.label, *marks])
