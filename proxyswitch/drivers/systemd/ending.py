"""The end of a unit: stopped, killed when that takes too long, and no failure of it left behind."""

from __future__ import annotations

from proxyswitch import durations
from proxyswitch.drivers.systemd.manager import Manager, State
from proxyswitch.errors import NeedsPerson

KILL_WAIT = 10.0


def end(manager: Manager, unit: str, limit: float) -> None:
    """End it, in grace for `limit` seconds. Raises NeedsPerson when it stays."""
    state = manager.show(unit)
    if not state.idle:
        manager.act("stop", "--no-block", unit)
        state = manager.settle(unit, limit, "stops")
        if not state.idle:
            state = _killed(manager, unit, limit)
        elif state.says("Result") == "timeout":
            manager.report(f"warning: {unit} did not end by itself: systemd has killed it (TimeoutStopSec)")
    if state.says("ActiveState") == "failed":
        manager.forget_failure(unit)


def _killed(manager: Manager, unit: str, limit: float) -> State:
    manager.report(f"warning: {unit} did not end within {durations.show(limit)}: it is killed")
    manager.act("kill", "--signal=KILL", unit)
    state = manager.settle(unit, KILL_WAIT, "ends")
    if state.idle:
        return state
    raise NeedsPerson(
        f"{unit} does not end, not even by SIGKILL",
        state=f"{unit} is {state.fate()}",
        next_step=f"look what it waits for (systemctl status {unit}), end it, then run this again",
    )
