"""The process driver: the app is a detached process group that we start, find again and stop."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from proxyswitch.drivers._adopted import Adopted, describe, find, holders
from proxyswitch.drivers._ending import Family, end
from proxyswitch.drivers._launch import MARKER, Launch
from proxyswitch.drivers._logs import Logs, tail
from proxyswitch.drivers.base import Context
from proxyswitch.drivers.process.record import Record, load, save
from proxyswitch.errors import Failed, SettingsError, UsageError
from proxyswitch.model import Instance, Problem, ProcessId, Slot
from proxyswitch.system import clock, files, net, proc, run, signals

LAST_WORDS = 5


class Process:
    """See drivers.base.Driver."""

    def __init__(self, context: Context) -> None:
        if context.app.process is None:
            raise SettingsError(f"apps.{context.name}.process: this table is required, with at least a command")
        self._name, self._folder = context.name, context.folder
        self._slots = context.app.places
        self._settings = context.app.process
        log_dir = self._settings.log_dir
        folder = Path(os.path.abspath(log_dir)) if log_dir else context.folder / "logs"
        self._logs = Logs(context.name, folder, self._settings.log_keep)

    def about(self) -> str:
        return "plain processes, started by proxyswitch"

    def check(self, slot: Slot) -> None:
        self._check(Launch(self._name, self._settings, slot))

    def _check(self, launch: Launch) -> None:
        running = self._own(launch.slot)
        if running:
            raise Failed(
                f"{self._title(launch.slot)} is already running: process {running.pid}",
                next_step=f"proxyswitch stop {self._title(launch.slot)}",
            )
        for fault in launch.faults():
            raise fault
        self._check_place(launch.slot)

    def _check_place(self, slot: Slot) -> None:
        """Raise when somebody else listens there."""
        if not net.is_listening(slot.endpoint):
            return
        pids = holders(slot.endpoint)
        left = {p.pid for p in self._family(slot).members()}
        if self._settings.adopt_port or left.intersection(pids):
            next_step = f"proxyswitch stop {self._title(slot)}"
        else:
            next_step = f"stop it, or set adopt_port = true in apps.{self._name}.process so that proxyswitch may"
        raise UsageError(
            f"{slot.endpoint}, where {self._title(slot)} should listen, is taken by {describe(pids)}",
            next_step=next_step,
        )

    def start(self, slot: Slot, version: str, artefact: str = "") -> Instance:  # noqa: ARG002  # a version is a name here
        launch = Launch(self._name, self._settings, slot, version)
        launch.argv()
        self._check(launch)
        files.make_folder(self._folder)
        log = self._logs.new(slot.name)
        try:
            process = run.spawn(launch.build(self._marker(slot), str(log)))
        except UsageError:
            files.remove(log)
            raise
        record = Record(process.pid, process.start, version, clock.wall(), str(log), proc.boot())
        self._save(slot, record)
        self._logs.rotate(slot.name)
        return self._instance(slot, record)

    def _save(self, slot: Slot, record: Record) -> None:
        """Without a record it must not run: it is ended again when that cannot be written."""
        try:
            save(self._path(slot), record)
        except BaseException:
            family = Family(self._marker(slot), record.process, record.log)
            end(family, signals.KILL, 0, self._title(slot))
            run.reap(record.pid)
            raise

    def stop(self, slot: Slot) -> bool:
        signum = signals.number(self._settings.stop_signal)
        family = self._family(slot)
        if family.members():
            end(family, signum, self._settings.grace, self._title(slot))
        elif not self._stop_adopted(slot, signum):
            self._forget(slot)
            return False
        self._forget(slot)
        return True

    def _stop_adopted(self, slot: Slot, signum: int) -> bool:
        top = find(slot, self._slots) if self._settings.adopt_port else None
        if top:
            end(Adopted(top, slot.endpoint), signum, self._settings.grace, self._title(slot))
        return top is not None

    def _forget(self, slot: Slot) -> None:
        """The record goes, and if it was our child, its last trace in the kernel."""
        record = load(self._path(slot))
        if record:
            run.reap(record.pid)
        files.remove(self._path(slot))

    def status(self, slot: Slot) -> Instance | None:
        own = self._own(slot)
        if own or not self._settings.adopt_port:
            return own
        top = find(slot, self._slots)
        return Instance(slot.name, "", top, proc.started(top), ours=False) if top else None

    def _own(self, slot: Slot) -> Instance | None:
        """What we started there and still runs: as recorded, or, where that says nothing, by its marker."""
        record = load(self._path(slot))
        if record and proc.alive(record.process):
            return self._instance(slot, record)
        leader = self._marked_leader(slot)
        if leader is None:
            return None
        version = proc.environment(leader.pid).get("APP_VERSION", "")
        return Instance(slot.name, version, leader, proc.started(leader), proc.link(leader.pid, "fd/1"))

    def _marked_leader(self, slot: Slot) -> ProcessId | None:
        """The topmost process that carries the slot's marker: what a start that was killed half-way left running."""
        marked = proc.with_environment(MARKER, self._marker(slot))
        pids = {p.pid for p in marked}
        tops = (p for p in marked if proc.group(p.pid) == p.pid and pids.isdisjoint(proc.lineage(p.pid)[1:]))
        return min(tops, key=lambda p: p.start, default=None)

    def _family(self, slot: Slot) -> Family:
        record = load(self._path(slot))
        return Family(self._marker(slot), record.process if record else None, record.log if record else "")

    def _instance(self, slot: Slot, record: Record) -> Instance:
        return Instance(slot.name, record.version, record.process, record.since, record.log)

    def logs(self, slot: Slot, lines: int) -> Iterator[str]:
        record = load(self._path(slot))
        paths = [Path(record.log)] if record and os.path.exists(record.log) else self._logs.of(slot.name)[-1:]
        for path in paths:
            yield from tail(path, lines)

    def obituary(self, slot: Slot) -> str:
        record = load(self._path(slot))
        if record is None:
            return f"{self._title(slot)}: nothing is known of an instance"
        words = [f"{self._title(slot)}: process {record.pid} {self._fate(record)}", *self.logs(slot, LAST_WORDS)]
        return "\n  ".join(words)

    def _fate(self, record: Record) -> str:
        if proc.alive(record.process):
            return "is running"
        code = run.reap(record.pid)
        return run.ending(code) if code is not None else "has ended; its exit status went to who started it"

    def problems(self) -> list[Problem]:
        faults = [f for slot in self._slots for f in Launch(self._name, self._settings, slot).faults()]
        faults += filter(None, map(_unwritable, (self._folder, self._logs.folder)))
        return list(dict.fromkeys(Problem(fault.what, fault.next_step) for fault in faults))

    def _title(self, slot: Slot) -> str:
        return f"{self._name}:{slot.name}"

    def _path(self, slot: Slot) -> Path:
        return self._folder / f"{slot.name}.json"

    def _marker(self, slot: Slot) -> str:
        """The same in every run, and in no other app, slot or state folder."""
        whose = f"{self._name}\0{slot.name}\0{os.path.realpath(self._folder)}"
        return f"{slot.name}-{hashlib.sha256(os.fsencode(whose)).hexdigest()[:32]}"


def _unwritable(folder: Path) -> UsageError | None:
    """The folder, or what it would be made in, is not ours to write."""
    place = next(p for p in (folder, *folder.parents) if os.path.lexists(p))
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return None
    why = "no permission to write there" if place.is_dir() else f"{place} is not a folder"
    return UsageError(f"{folder}: {why}", next_step="run it as a user who may, or name another folder")
