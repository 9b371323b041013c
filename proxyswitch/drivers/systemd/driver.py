"""The systemd driver: the app is a unit, or one a slot, that systemd starts, stops and reloads for us."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from msgspec.structs import replace

from proxyswitch import durations
from proxyswitch.drivers._adopted import describe, holders
from proxyswitch.drivers._logs import last_words
from proxyswitch.drivers._memory import Memory
from proxyswitch.drivers._words import fill
from proxyswitch.drivers.base import Context, Moved
from proxyswitch.drivers.systemd import doctor
from proxyswitch.drivers.systemd.ending import end
from proxyswitch.drivers.systemd.known import Before, Known, me
from proxyswitch.drivers.systemd.layout import Layout
from proxyswitch.drivers.systemd.manager import Manager, State
from proxyswitch.errors import Failed, NeedsPerson, ProxyswitchError, SettingsError, UsageError
from proxyswitch.model import Health, Instance, Problem, Slot
from proxyswitch.polling import until
from proxyswitch.system import net, proc

LAST_WORDS = 5
RELOAD, TRY_RESTART = "reload", "try-restart"


class Systemd:
    """See drivers.base.Driver and InPlace."""

    def __init__(self, context: Context) -> None:
        if context.app.systemd is None:
            raise SettingsError(f"apps.{context.name}.systemd: this table is required, with at least a unit")
        self._name, self._settings, self._report = context.name, context.app.systemd, context.report
        self._slots, self._in_place = context.app.places, context.app.in_place
        self._manager = Manager(self._settings.scope, context.report)
        self._memory = Memory(context.folder, Known, "systemd")

    def about(self) -> str:
        whose = "the system's manager" if self._settings.scope == "system" else "your own manager"
        return f"systemd {self._manager.version()}, {whose}"

    def problems(self) -> list[Problem]:
        looks = ((self._layout(slot), self._state(slot)) for slot in self._slots)
        found = [p for layout, state in looks for p in doctor.problems(layout, state, in_place=self._in_place)]
        return list(dict.fromkeys(found))

    # what it starts, and where

    def _layout(self, slot: Slot) -> Layout:
        unit = fill(self._settings.unit, slot, "")
        return Layout(self._name, self._settings, slot, unit if unit.endswith(".service") else f"{unit}.service")

    def _unit(self, slot: Slot) -> str:
        return self._layout(slot).unit

    def _state(self, slot: Slot) -> State:
        return self._manager.show(self._unit(slot))

    def _title(self, slot: Slot) -> str:
        return f"{self._name}:{slot.name}"

    # look

    def status(self, slot: Slot) -> Instance | None:
        state, known = self._state(slot), self._memory.load(slot.name)
        if not state.running or (known and known.by == me() and known.invocation not in ("", state.invocation)):
            return None  # of what this very run has started, another start by systemd itself is the death
        return self._instance(slot, state, known)

    def _instance(self, slot: Slot, state: State, known: Known | None) -> Instance:
        same = known is not None and known.invocation == state.invocation
        version = known.version if known and same else self._layout(slot).version()
        process = proc.identify(state.main_pid) if state.main_pid else None
        health = Health.STARTING if state.says("ActiveState") == "activating" else Health.UNKNOWN
        return Instance(slot.name, version, process, proc.started(process) if process else 0.0, health=health)

    def logs(self, slot: Slot, lines: int) -> Iterator[str]:
        yield from self._manager.journal(self._unit(slot), lines)

    def obituary(self, slot: Slot) -> str:
        return self._obituary(slot, self._state(slot))

    def _obituary(self, slot: Slot, state: State) -> str:
        return "\n  ".join([f"{state.unit} is {state.fate()}", *last_words(partial(self.logs, slot), LAST_WORDS)])

    # start

    def check(self, slot: Slot) -> None:
        state, layout = self._state(slot), self._layout(slot)
        for fault in doctor.faults(layout, state):
            raise fault
        if state.running:
            what = f"{self._title(slot)} is already running: {state.unit} is {state.fate()}"
            raise Failed(what, next_step=f"proxyswitch stop {self._title(slot)}")
        if not state.says("TriggeredBy") and net.is_listening(slot.endpoint):
            raise UsageError(
                f"{slot.endpoint}, where {self._title(slot)} should listen, is taken by {describe(holders(slot.endpoint))}",
                next_step="stop it, or give the slot another address",
            )

    def start(self, slot: Slot, version: str, artefact: str = "") -> Instance:  # noqa: ARG002  # a version is a name here
        self.check(slot)
        unit = self._unit(slot)
        if not self._state(slot).idle:
            self._end(unit)
        self._memory.save(slot.name, Known(version))
        self._lay(slot, version)
        state = self._begin(slot)
        if not (state.active and state.restarts == 0):
            error = self._refusal(slot, f"{version} died" if state.settled else f"{version} did not start", state)
            self._end(unit)
            raise error
        return self._runs(slot, Known(version, state.invocation, me()))

    def _lay(self, slot: Slot, version: str) -> None:
        layout = self._layout(slot)
        layout.lay(version)
        self._read_again(layout)

    def _read_again(self, layout: Layout) -> None:
        if layout.drop_in:
            self._manager.act("daemon-reload")

    def _begin(self, slot: Slot) -> State:
        unit = self._unit(slot)
        self._manager.forget_failure(unit)
        self._manager.act("start", "--no-block", unit)
        return self._manager.settle(unit, self._settings.start_timeout, "starts")

    def _runs(self, slot: Slot, known: Known) -> Instance:
        """Remember what has come up, and let it come up at boot too, where that is wanted."""
        self._memory.save(slot.name, known)
        if self._settings.enable:
            self._manager.act("enable", "--quiet", self._unit(slot))
        return self._instance(slot, self._state(slot), known)

    def _refusal(self, slot: Slot, what: str, state: State) -> Failed:
        late = "" if state.settled else f" within {durations.show(self._settings.start_timeout)}"
        step = f"read its log: proxyswitch logs {self._title(slot)}"
        return Failed(f"{self._name} {what}{late}: {self._obituary(slot, state)}", next_step=step)

    # stop

    def stop(self, slot: Slot) -> bool:
        state = self._state(slot)
        self._end(state.unit)
        self._memory.forget(slot.name)
        if self._settings.enable and state.says("UnitFileState") == "enabled":
            self._manager.act("disable", "--quiet", state.unit)
        return not state.idle

    def _end(self, unit: str) -> None:
        end(self._manager, unit, self._settings.stop_timeout)

    # in place

    def check_reload(self, slot: Slot, version: str) -> None:  # noqa: ARG002  # the same for any version
        state, layout = self._state(slot), self._layout(slot)
        for fault in (*doctor.faults(layout, state), *doctor.reload_faults(layout, state)):
            raise fault

    def reload(self, slot: Slot, version: str, artefact: str, moved: Moved) -> Instance:  # noqa: ARG002  # it moves nothing
        there, state, layout = self.status(slot), self._state(slot), self._layout(slot)
        before = Before(there.version if there else "", state.invocation, layout.seen())
        self._memory.save(slot.name, Known(before.version, state.invocation, before=before))
        try:
            self._lay(slot, version)
            self._manager.act(self._settings.reload, "--no-block", state.unit)
        except UsageError:  # nothing has been reloaded
            self._put_back(slot, before)
            raise
        state = self._reloaded(slot)
        if not self._took_effect(state, before):
            raise self._refusal(slot, f"could not {self._settings.reload} to {version}", state)
        return self._runs(slot, Known(version, state.invocation, me(), before))

    def _reloaded(self, slot: Slot) -> State:
        limit = self._settings.start_timeout + (self._settings.stop_timeout if self._settings.reload == TRY_RESTART else 0)
        return self._manager.settle(self._unit(slot), limit, f"does {self._settings.reload}")

    def _took_effect(self, state: State, before: Before) -> bool:
        if self._settings.reload == RELOAD:
            return state.active and state.invocation == before.invocation and state.says("ReloadResult") == "success"
        return state.active and state.invocation != before.invocation and state.restarts == 0

    def _put_back(self, slot: Slot, before: Before) -> None:
        """All lies as it lay, and nothing is left to go back to."""
        self._lay_back(slot, before)
        self._memory.save(slot.name, Known(before.version, before.invocation))

    def _lay_back(self, slot: Slot, before: Before) -> None:
        layout = self._layout(slot)
        layout.back(before.laid)
        self._read_again(layout)

    def revert(self, slot: Slot, moved: Moved) -> None:  # noqa: ARG002
        known = self._memory.load(slot.name)
        if not (known and known.before):
            return
        self._lay_back(slot, known.before)
        try:
            state = self._gone_back(slot, known.before)
        except NeedsPerson:
            raise
        except ProxyswitchError as error:
            raise self._stuck(slot, known.before, error.what) from error
        self._memory.save(slot.name, Known(known.before.version, state.invocation))

    def _gone_back(self, slot: Slot, before: Before) -> State:
        """The unit, with what lies ready now. Raises Failed when it does not come up."""
        unit, state = self._unit(slot), self._state(slot)
        reload = self._settings.reload == RELOAD
        if not (state.active and state.invocation == before.invocation):
            self._end(unit)
            state = self._begin(slot)
            until(lambda: net.is_listening(slot.endpoint) or None, self._settings.start_timeout)
            state = self._state(slot)
        elif reload:
            self._manager.act(RELOAD, "--no-block", unit)
            state = self._reloaded(slot)
        if not state.active or (reload and state.says("ReloadResult") != "success"):
            raise Failed(self._obituary(slot, state))
        return state

    def _stuck(self, slot: Slot, before: Before, why: str) -> NeedsPerson:
        unit = self._unit(slot)
        return NeedsPerson(
            f"{unit} cannot go back to {before.version or 'the version before'}: {why}",
            state=f"its files are as before, {unit} is {self._state(slot).fate()}",
            next_step=f"systemctl restart {unit}, look whether it serves, then run: proxyswitch recover",
        )

    def confirm(self, slot: Slot) -> None:
        known = self._memory.load(slot.name)
        if known and known.before:
            self._memory.save(slot.name, replace(known, before=None))
