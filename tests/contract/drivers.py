"""The contract of drivers: two harnesses that lead any of them through a whole life of an app, on its real runner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from proxyswitch.drivers.base import Driver, InPlace
from proxyswitch.errors import ProxyswitchError
from proxyswitch.model import Endpoint, Instance, Slot
from proxyswitch.polling import until
from proxyswitch.system import net, proc

PATIENCE = 60.0


def wait(look: Callable[[], object], what: Callable[[], str] = lambda: "in vain") -> None:
    assert until(lambda: look() or None, PATIENCE), what()


def whole_life(make: Callable[[], Driver], slot: Slot, says: Callable[[str], str]) -> None:
    """Check, start, status, logs, a second start refused, stop, stop again, and all of it with the next version.

    `make` gives a driver as a new run of the program would have it; `says` is what a version writes to its log.
    """
    try:
        assert make().about()
        assert make().status(slot) is None
        for version in ("v1", "v2"):
            _one_life(make, slot, version, says(version))
        assert make().problems() == []
    finally:
        make().stop(slot)


def _one_life(make: Callable[[], Driver], slot: Slot, version: str, says: str) -> None:
    make().check(slot)
    instance = make().start(slot, version)
    _is_up(make, slot, version)
    assert (instance.slot, instance.version, instance.ours) == (slot.name, version, True)
    wait(lambda: says in "\n".join(make().logs(slot, 10)))
    _second_start_is_refused(make, slot)
    there = make().status(slot)
    assert make().stop(slot) is True
    assert make().status(slot) is None
    assert there
    assert not (there.process and proc.alive(there.process))
    assert not net.is_listening(slot.endpoint)
    assert make().stop(slot) is False
    assert make().obituary(slot)


def _is_up(make: Callable[[], Driver], slot: Slot, version: str) -> Instance:
    wait(lambda: net.is_listening(slot.endpoint), lambda: make().obituary(slot))
    there = make().status(slot)
    assert there, make().obituary(slot)
    assert (there.slot, there.version) == (slot.name, version)
    assert there.process is None or proc.alive(there.process)
    return there


def _second_start_is_refused(make: Callable[[], Driver], slot: Slot) -> None:
    before = make().status(slot)
    for attempt in (lambda: make().check(slot), lambda: make().start(slot, "v9")):
        with pytest.raises(ProxyswitchError):
            attempt()
    after = make().status(slot)
    assert before
    assert after
    assert (before.version, before.process) == (after.version, after.process)


@dataclass
class InPlaceLife:
    """How one runner is led through a life in place. `put` lays a version ready, as a hook `prepare` would; `version` asks
    the app itself, from outside, which version answers."""

    make: Callable[[], InPlace]
    slot: Slot
    put: Callable[[str], None]
    version: Callable[[], str]
    moves: list[tuple[Endpoint, ...]] = field(default_factory=list)

    def live(self) -> None:
        """First start; a reload that is confirmed; one that is reverted, once and again; a revert with nothing to do."""
        try:
            self._first()
            self._kept("v1", "v2")
            self._taken_back("v2", "v3")
            self._kept("v2", "v4")
            assert self.make().stop(self.slot) is True
            assert self.make().status(self.slot) is None
            assert self.make().stop(self.slot) is False
        finally:
            self.make().stop(self.slot)

    def _first(self) -> None:
        assert self.make().about()
        assert self.make().status(self.slot) is None
        self.put("v1")
        self.make().check(self.slot)
        self.make().start(self.slot, "v1")
        wait(lambda: self.version() == "v1", lambda: self.make().obituary(self.slot))
        with pytest.raises(ProxyswitchError):
            self.make().check(self.slot)

    def _reload(self, version: str) -> None:
        self.put(version)
        self.make().check_reload(self.slot, version)
        there = self.make().reload(self.slot, version, "", self.moves.append)
        assert there.version == version
        assert self._status() == version
        wait(lambda: self.version() == version)

    def _status(self) -> str:
        there = self.make().status(self.slot)
        return there.version if there else ""

    def _kept(self, old: str, new: str) -> None:
        assert self._status() == old
        self._reload(new)
        self.make().confirm(self.slot)
        self.make().confirm(self.slot)
        self.make().revert(self.slot, self.moves.append)  # nothing is left to go back to: it changes nothing
        assert (self._status(), self.version()) == (new, new)

    def _taken_back(self, old: str, new: str) -> None:
        self._reload(new)
        for _ in range(2):
            self.make().revert(self.slot, self.moves.append)
            assert self._status() == old
            wait(lambda: self.version() == old)
