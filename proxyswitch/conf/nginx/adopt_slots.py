"""Which server lines of a pool belong to blue and which to green."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from proxyswitch.conf.nginx.adopt_tree import Refused
from proxyswitch.conf.nginx.pools import ServerLine, Upstream
from proxyswitch.model import Endpoint

SLOTS = ("blue", "green")


class Slot(NamedTuple):
    """The lines that the pool has for a slot, and addresses that it has no line for yet."""

    lines: tuple[ServerLine, ...]
    new: tuple[str, ...]

    @property
    def live(self) -> bool:
        """True when one of its servers takes traffic in the plain form."""
        return any(line.server.live for line in self.lines)


class Slots(NamedTuple):
    """Both slots; `active` is the one that serves in the plain form."""

    blue: Slot
    green: Slot
    active: str

    def slot(self, name: str) -> Slot:
        return self.green if name == "green" else self.blue


def slots(upstream: Upstream, blue: Iterable[str], green: Iterable[str]) -> Slots:
    """The two slots of the pool. With one list empty it gets the other lines, with both the live ones are blue.

    Raises Refused for addresses that are none, and for lines that are in no slot, or when both slots serve.
    """
    wanted = {"blue": _endpoints("blue", blue), "green": _endpoints("green", green)}
    _refuse_both(wanted)
    _fill(upstream, wanted)
    _refuse_stray(upstream, wanted)
    sides = {name: _slot(upstream, wanted[name]) for name in SLOTS}
    return Slots(sides["blue"], sides["green"], _active(upstream, sides))


def _endpoints(slot: str, texts: Iterable[str]) -> list[Endpoint]:
    found: list[Endpoint] = []
    for text in texts:
        try:
            endpoint = Endpoint.parse(text)
        except ValueError as error:
            raise Refused(f"--{slot} {error}") from None
        if endpoint in found:
            raise Refused(f"--{slot} {text} is given twice")
        found.append(endpoint)
    return found


def _refuse_both(wanted: dict[str, list[Endpoint]]) -> None:
    for endpoint in wanted["blue"]:
        if endpoint in wanted["green"]:
            raise Refused(f"{endpoint} cannot be in both slots, blue and green")


def endpoint_of(line: ServerLine) -> Endpoint:
    """Where a line leads to. Raises Refused for what only nginx can say."""
    endpoint = line.server.endpoint
    if endpoint is None:
        raise Refused(f"{line.server.where}: the address {line.server.address} is in a form that cannot be put in a slot")
    return endpoint


def _fill(upstream: Upstream, wanted: dict[str, list[Endpoint]]) -> None:
    """A slot that was not named gets what is left; where none was, the live ones are blue."""
    named = {name for name, endpoints in wanted.items() if endpoints}
    given = [endpoint for endpoints in wanted.values() for endpoint in endpoints]
    for line in upstream.lines:
        endpoint = endpoint_of(line)
        name = ("blue" if line.server.live else "green") if not named else "green" if "blue" in named else "blue"
        if endpoint not in given and name not in named and endpoint not in wanted[name]:
            wanted[name].append(endpoint)
    empty = next((name for name in ("green", "blue") if not wanted[name]), "")
    if empty:
        raise Refused(
            f"{upstream.where}: no server of {upstream.name} is left for the slot {empty}",
            next_step=f"say where the other version listens: --{empty} ADDRESS",
        )


def _refuse_stray(upstream: Upstream, wanted: dict[str, list[Endpoint]]) -> None:
    for line in upstream.lines:
        if endpoint_of(line) not in (*wanted["blue"], *wanted["green"]):
            raise Refused(
                f"{line.server.where}: {line.server.address} of {upstream.name} is in neither slot",
                next_step="name it with --blue or --green, or take the line out",
            )


def _slot(upstream: Upstream, endpoints: list[Endpoint]) -> Slot:
    lines = tuple(line for line in upstream.lines if endpoint_of(line) in endpoints)
    there = {endpoint_of(line) for line in lines}
    return Slot(lines, tuple(str(endpoint) for endpoint in endpoints if endpoint not in there))


def _active(upstream: Upstream, sides: dict[str, Slot]) -> str:
    live = [name for name, slot in sides.items() if slot.live]
    if not live:
        raise Refused(f"{upstream.where}: no server of {upstream.name} takes traffic: which slot serves cannot be told")
    if len(live) == 2:
        both = ", ".join(line.server.address for slot in sides.values() for line in slot.lines if line.server.live)
        raise Refused(
            f"{upstream.where}: both slots of {upstream.name} take traffic: {both}",
            next_step=f"take one out first: proxyswitch switch {upstream.name} {_first(sides['blue'].lines)}",
        )
    return live[0]


def _first(lines: tuple[ServerLine, ...]) -> str:
    return next(line.server.address for line in lines if line.server.live)
