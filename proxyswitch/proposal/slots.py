"""The slots of an app: from the servers of its pool, and from who runs there. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from proxyswitch.model import MAX_PORT, Endpoint, Pool, Server
from proxyswitch.proposal import names, runners
from proxyswitch.proposal.proposed import CHECK, FILL, Key, Runner
from proxyswitch.proposal.seen import Seen


@dataclass(frozen=True)
class Slotted:
    """The slots with the reason of each, and whether all of them take traffic."""

    slots: tuple[Key, ...]
    doubt: str = ""
    rolling: bool = False


def find(pool: Pool, servers: list[Server], live: list[Server], runner: Runner, seen: Seen) -> Slotted:
    if runner.in_place:
        several = f"{len(live)} servers take traffic, and {runner.driver} replaces one in place" if len(live) > 1 else ""
        why = f"one slot: {runner.driver} replaces the version in place ({_where(live[0])})"
        return Slotted((Key("main", str(live[0].endpoint), why),), several)
    if pool.instant:
        return _instant(servers)
    if len(live) > 1:
        return _rolling(live, runner, seen)
    first = runner.slot or _slot_of(live[0]) or "blue"
    blue = Key(first, str(live[0].endpoint), f"takes the traffic now: {_where(live[0])}")
    spare = next((s for s in servers if s not in live), None)
    if spare is None:
        return Slotted((blue, _guessed(first, live[0], seen)))
    second = _second(first, spare, runner, seen)
    state = "a backup" if spare.backup else "out of traffic"
    return Slotted((blue, Key(second, str(spare.endpoint), f"{state} now: {_where(spare)}")))


def _where(server: Server) -> str:
    named = f"server {server.name}, " if server.name else ""
    return f"{named}{server.where}" if server.where else f"{named}its line could not be found"


def _slot_of(server: Server) -> str:
    """Within the name of a server: `app-blue` is blue."""
    return names.split(server.name)[1] if server.name else server.slot


def _second(first: str, spare: Server, runner: Runner, seen: Seen) -> str:
    """The name of the idle slot: of who runs there, of its server, or the one beside the first."""
    there = runners.find(spare.endpoint, seen) if spare.endpoint else None
    same = there is not None and there.driver == runner.driver and not there.in_place
    named = (there.slot if there and same else "") or ("" if runner.slot else _slot_of(spare))
    return named if named and named != first else names.other(first)


def _guessed(first: str, live: Server, seen: Seen) -> Key:
    at = live.endpoint or Endpoint()
    if place := seen.free.get(at):
        return replace(spare(place), name=names.other(first))
    place = Endpoint(path=f"{at.path}.2") if at.path else Endpoint(at.host, at.port % MAX_PORT + 1)
    return Key(names.other(first), str(place), FILL + "a free place, where the next version comes up")


def spare(place: Endpoint) -> Key:
    why = "nobody listens there" if not place.path else "no such socket is there"
    return Key("green", str(place), f"{CHECK}a guess: {why}; the next version comes up there. Any free place will do")


def _instant(servers: list[Server]) -> Slotted:
    """The pool has its slots already."""
    slots: dict[str, Key] = {}
    for server in sorted(servers, key=lambda s: s.slot):
        state = "takes the traffic now" if server.live else "takes none now"
        slots.setdefault(server.slot, Key(server.slot, str(server.endpoint), f"{state}: {_where(server)}"))
    doubt = (
        "a slot of this pool has several servers, and a slot of an app is one address" if len(servers) > len(slots) else ""
    )
    return Slotted(tuple(slots.values()), doubt or ("" if len(slots) > 1 else "only one slot of this pool could be read"))


def _rolling(live: list[Server], runner: Runner, seen: Seen) -> Slotted:
    found = [runners.find(s.endpoint, seen) for s in live if s.endpoint]
    unlike = any(one.driver != runner.driver or one.in_place or one.doubt != runner.doubt for one in found)
    named = [one.slot for one in found]
    if not all(named) or len(set(named)) < len(named):
        named = [f"s{number}" for number in range(1, len(live) + 1)]
    slots = tuple(Key(name, str(s.endpoint), f"takes traffic: {_where(s)}") for name, s in zip(named, live, strict=True))
    doubt = "its servers are not all run in the same way" if unlike else ""
    return Slotted(slots, doubt, rolling=True)
