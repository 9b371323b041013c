"""The contract of drivers: one harness that leads any of them through a whole life of an app."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proxyswitch.drivers.base import Driver
from proxyswitch.errors import ProxyswitchError
from proxyswitch.model import Instance, Slot
from proxyswitch.polling import until
from proxyswitch.system import net, proc

PATIENCE = 30.0


def whole_life(make: Callable[[], Driver], slot: Slot, says: Callable[[str], str]) -> None:
    """Check, start, status, logs, a second start refused, stop, stop again, and all of it with the next version.

    `make` gives a driver as a new run of the program would have it; `says` is what a version writes to its log.
    """
    try:
        assert make().status(slot) is None
        for version in ("v1", "v2"):
            _one_life(make, slot, version, says(version))
        assert make().problems() == []
    finally:
        make().stop(slot)


def _one_life(make: Callable[[], Driver], slot: Slot, version: str, says: str) -> None:
    make().check(slot)
    instance = make().start(slot, version)
    _is_up(make, slot, instance)
    assert (instance.slot, instance.version, instance.ours) == (slot.name, version, True)
    assert until(lambda: says in "\n".join(make().logs(slot, 10)) or None, PATIENCE)
    _second_start_is_refused(make, slot, instance)
    assert make().stop(slot) is True
    assert make().status(slot) is None
    assert not proc.alive(instance.process)
    assert not net.is_listening(slot.endpoint)
    assert says in "\n".join(make().logs(slot, 10)), "the log must outlive the instance"
    assert make().stop(slot) is False
    assert make().obituary(slot)


def _is_up(make: Callable[[], Driver], slot: Slot, instance: Instance) -> None:
    assert until(lambda: net.is_listening(slot.endpoint) or None, PATIENCE), make().obituary(slot)
    assert make().status(slot) == instance
    assert proc.alive(instance.process)


def _second_start_is_refused(make: Callable[[], Driver], slot: Slot, instance: Instance) -> None:
    for attempt in (lambda: make().check(slot), lambda: make().start(slot, "v9")):
        with pytest.raises(ProxyswitchError):
            attempt()
    assert make().status(slot) == instance
