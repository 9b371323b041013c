"""A gunicorn that is the main process of a systemd unit.

systemd knows one main process. A second master, as USR2 brings one up, would be a stranger to it (`Type=notify`), or missed
after the first has gone (`PIDFile=`): so the workers are replaced by the unit's own reload, which is HUP.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxyswitch.drivers._logs import last_words
from proxyswitch.drivers.gunicorn.words import Words
from proxyswitch.drivers.systemd.doctor import load_faults
from proxyswitch.drivers.systemd.ending import end
from proxyswitch.drivers.systemd.manager import Manager, State
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import ProcessId
from proxyswitch.polling import Report
from proxyswitch.system import proc


class Unit:
    """See daemon.Host."""

    def __init__(self, title: str, words: Words, report: Report) -> None:
        name = words.settings.unit
        self._title, self._settings = title, words.settings
        self._unit = name if name.endswith(".service") else f"{name}.service"
        self._manager = Manager(words.settings.scope, report)

    def about(self) -> str:
        back = "a version is taken back by another reload: no old master waits"
        return f"{self._unit} of systemd {self._manager.version()} ({back})"

    def master(self) -> ProcessId | None:
        state = self._manager.show(self._unit)
        return proc.identify(state.main_pid) if state.running and state.main_pid else None

    def faults(self) -> Iterator[UsageError]:
        state = self._manager.show(self._unit)
        yield from load_faults(self._settings.scope, state)
        if state.says("LoadState") == "loaded" and state.says("CanReload") != "yes":
            step = "give it a line ExecReload=/bin/kill -s HUP $MAINPID, then: systemctl daemon-reload"
            yield UsageError(f"{self._unit} cannot be reloaded: it has no ExecReload=", next_step=step)
        if state.says("NeedDaemonReload") == "yes":
            yield UsageError(f"{self._unit} was changed on disk and not loaded", next_step="systemctl daemon-reload")

    def check(self, master: ProcessId) -> None:  # noqa: ARG002  # it is the unit that is told
        for fault in self.faults():
            raise fault

    def start(self) -> ProcessId:
        self._manager.forget_failure(self._unit)
        self._manager.act("start", "--no-block", self._unit)
        state = self._manager.settle(self._unit, float(self._settings.start_timeout), "starts")
        found = proc.identify(state.main_pid) if state.active and state.main_pid else None
        if found is None:
            raise self._failed("did not start", state)
        return found

    def hup(self, master: ProcessId) -> None:  # noqa: ARG002
        self._manager.act("reload", "--no-block", self._unit)
        state = self._manager.settle(self._unit, float(self._settings.start_timeout), "reloads")
        if not state.active or state.says("ReloadResult") != "success":
            raise self._failed("did not reload", state)

    def stop(self, running: Iterable[ProcessId]) -> None:  # noqa: ARG002  # systemd ends all of them
        end(self._manager, self._unit, float(self._settings.grace))

    def tail(self, lines: int) -> list[str]:
        return self._manager.journal(self._unit, lines)

    def _failed(self, what: str, state: State) -> Failed:
        said = "".join(f"\n  | {line}" for line in last_words(self.tail))
        return Failed(f"{self._title}: {self._unit} {what}: it is {state.fate()}{said}")
