"""What stands in the way of a release by systemd, and what a person should know about a unit."""

from __future__ import annotations

import os
from collections.abc import Iterator

from proxyswitch.drivers.systemd.layout import Layout, units
from proxyswitch.drivers.systemd.manager import USER, State, user_name
from proxyswitch.errors import UsageError
from proxyswitch.model import Problem

RELOAD = "reload"
AT_BOOT = ("enabled", "enabled-runtime", "linked", "generated", "alias", "indirect")
LINGER = "/var/lib/systemd/linger"


def faults(layout: Layout, state: State) -> Iterator[UsageError]:
    """Why no version could be started, or would not get what it needs."""
    yield from load_faults(layout.settings.scope, state)
    yield from layout.faults(state)
    if layout.settings.enable and state.says("UnitFileState") == "static":
        what = f"{state.unit} cannot be enabled: it has no [Install] section"
        yield UsageError(what, next_step=f"add one with WantedBy={_target(layout)}, or remove enable")


def _target(layout: Layout) -> str:
    return "default.target" if layout.settings.scope == USER else "multi-user.target"


def load_faults(scope: str, state: State) -> Iterator[UsageError]:
    """Why systemd has no such unit, or cannot use it."""
    load, unit = state.says("LoadState"), state.unit
    if load == "loaded":
        return
    if load == "not-found":
        name, at, _ = unit.partition("@")
        place = os.path.join(units(scope), f"{name}@.service" if at else unit)
        yield UsageError(f"there is no unit {unit}", next_step=f"write {place}, then systemctl daemon-reload")
    elif load == "masked":
        yield UsageError(f"{unit} is masked", next_step=f"systemctl unmask {unit}")
    else:
        yield UsageError(f"systemd cannot load {unit}: {load}", next_step=f"systemd-analyze verify {unit}")


def reload_faults(layout: Layout, state: State) -> Iterator[UsageError]:
    """Why a running version could not be replaced in place."""
    if layout.settings.reload == RELOAD and state.says("CanReload") != "yes":
        step = f'add ExecReload= to it, use two slots, or write reload = "try-restart" in apps.{layout.app}.systemd: a gap'
        yield UsageError(f"{state.unit} cannot be reloaded: it has no ExecReload=", next_step=step)


def problems(layout: Layout, state: State, *, in_place: bool) -> Iterator[Problem]:
    """All of that, and what is not zero-downtime or does not last."""
    yield from (Problem(fault.what, fault.next_step) for fault in faults(layout, state))
    if in_place:
        yield from _in_place_problems(layout, state)
    if state.says("NeedDaemonReload") == "yes":
        yield Problem(f"{state.unit} was changed on disk after systemd read it", "systemctl daemon-reload")
    if state.says("RemainAfterExit") == "yes":
        what = f"systemd calls {state.unit} active even when all its processes have ended (RemainAfterExit=yes)"
        yield Problem(what, "only the health check sees that it is gone")
    yield from _boot_problems(layout, state)


def _in_place_problems(layout: Layout, state: State) -> Iterator[Problem]:
    if layout.settings.reload != RELOAD:
        yield Problem(f"{state.unit} is restarted at each release: requests fail meanwhile", "use two slots, or reload")
        return
    if state.says("LoadState") == "loaded":
        yield from (Problem(fault.what, fault.next_step) for fault in reload_faults(layout, state))
    if not layout.link:
        what = f"a release of {layout.app} that fails gets its environment back, but not its code"
        yield Problem(what, f"let {state.unit} run from a link: current and release in apps.{layout.app}.systemd")


def _boot_problems(layout: Layout, state: State) -> Iterator[Problem]:
    if state.running and state.says("UnitFileState") not in AT_BOOT:
        step = f"enable = true in apps.{layout.app}.systemd, or: systemctl enable {state.unit}"
        yield Problem(f"{state.unit} runs, and will not after a boot: it is not enabled", step)
    if layout.settings.scope == USER and not os.path.exists(os.path.join(LINGER, user_name())):
        what = f"the manager of user {user_name()}, and all that it runs, ends when that user logs out"
        yield Problem(what, f"sudo loginctl enable-linger {user_name()}")
