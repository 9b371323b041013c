"""The gunicorn driver: a running master is replaced by a second one (usr2), or replaces its workers itself (hup).

A release is a folder, and the link `current` leads to the one that runs. The order: the new code is loaded once and thrown
away (`--check-config`), the link is moved, then gunicorn is told. Before that all is written down that leads back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from proxyswitch.drivers._adopted import describe, holders
from proxyswitch.drivers._ending import end
from proxyswitch.drivers._logs import last_words
from proxyswitch.drivers._memory import Memory
from proxyswitch.drivers.base import Context, Moved
from proxyswitch.drivers.gunicorn import master as masters
from proxyswitch.drivers.gunicorn.daemon import Daemon, Host
from proxyswitch.drivers.gunicorn.doctor import problems
from proxyswitch.drivers.gunicorn.replacing import Replacing, shown
from proxyswitch.drivers.gunicorn.site import Known, Site, Undo
from proxyswitch.drivers.gunicorn.unit import Unit
from proxyswitch.drivers.gunicorn.words import Words
from proxyswitch.errors import Failed, NeedsPerson, NotDrained, ProxyswitchError, SettingsError, UsageError
from proxyswitch.model import Instance, Problem, ProcessId, Slot
from proxyswitch.system import net, proc, run, signals


class Gunicorn:
    """See drivers.base.InPlace."""

    def __init__(self, context: Context) -> None:
        settings = context.app.gunicorn
        if settings is None:
            raise SettingsError(f"apps.{context.name}.gunicorn: this table is required, with command, current and release")
        slot = context.app.places[0]
        self._context, self._settings, self._title = context, settings, f"{context.name}:{slot.name}"
        self._pidfile = settings.pidfile or str(context.folder.absolute() / f"{slot.name}.pid")
        self._log = settings.log or str(context.folder.absolute() / "logs" / f"{slot.name}.log")
        self._words = Words(context.name, settings, slot, self._pidfile)
        self._host: Host = (
            Unit(self._title, self._words, context.report)
            if settings.unit
            else Daemon(self._title, self._words, self._log, context.report)
        )
        self._site = Site(self._words, Memory(context.folder, Known, "gunicorn"))
        self._replacing = Replacing(
            self._title,
            self._words,
            self._host,
            context.report,
            timeout=float(settings.start_timeout),
            drain=float(context.app.drain),
            grace=float(settings.grace),
        )

    # what is so

    def about(self) -> str:
        how = f"{self._settings.way}, {self._host.about()}"
        if not os.path.isdir(self._settings.current):
            return (
                f"gunicorn, of which nothing is known before the first release: {self._settings.current} is not there; {how}"
            )
        for fault in self._words.launch().faults():
            raise fault
        result = run.run(self._words.about())
        if not result.ok:
            said = shown((result.out + result.err).splitlines()[-3:])
            step = "install it where the release has its packages: pip install gunicorn"
            raise UsageError(f"gunicorn cannot be run: {result.reason()}{said}", next_step=step)
        return f"{result.out.strip()}; {how}"

    def problems(self) -> list[Problem]:
        return list(problems(self._context.name, self._context.app, self._words, self._host))

    def status(self, slot: Slot) -> Instance | None:
        known = self._site.known()
        master = self._master(known)
        if master is None:
            return None
        version = self._site.version()
        if known and known.master == master and known.version != version:
            version = ""  # somebody has moved the link since
        return Instance(slot.name, version, master, proc.started(master), self._log)

    def _master(self, known: Known | None) -> ProcessId | None:
        """What we have brought up, or somebody else since. While there is a way back, the old one is not meant."""
        if known and proc.alive(known.master):
            return known.master
        there = self._host.master()
        return None if known and known.undo and known.undo.master == there else there

    def logs(self, slot: Slot, lines: int) -> Iterator[str]:  # noqa: ARG002  # one slot
        yield from self._host.tail(lines)

    def obituary(self, slot: Slot) -> str:  # noqa: ARG002
        known = self._site.known()
        if known is None:
            return f"{self._title}: nothing is known of an instance"
        fate = "is running" if proc.alive(known.master) else "has ended"
        words = [f"{self._title}: gunicorn's master, process {known.master.pid}, {fate}", *last_words(self._host.tail)]
        return "\n  ".join(words)

    # start and stop

    def check(self, slot: Slot) -> None:
        running = self._master(self._site.known())
        if running:
            what = f"{self._title} is already running: process {running.pid}"
            raise Failed(what, next_step=f"proxyswitch stop {self._title}")
        here = os.path.isdir(self._settings.current)
        launch = self._words.launch() if here else self._words.launch(self._settings.release, None)
        for fault in (*launch.faults(), *self._host.faults()):
            raise fault
        if not self._settings.unit and net.is_listening(slot.endpoint):  # systemd may hold the socket for it
            who = describe(holders(slot.endpoint))
            raise UsageError(f"{slot.endpoint}, where {self._title} should listen, is taken by {who}", next_step="stop it")

    def start(self, slot: Slot, version: str, artefact: str = "") -> Instance:  # noqa: ARG002  # a version is a folder
        self.check(slot)
        folder = self._site.folder(version)
        self._replacing.loads(folder, version)
        self._site.lay(version)
        master = self._host.start()
        self._site.remember(version, master)
        return self._instance(slot)

    def _instance(self, slot: Slot) -> Instance:
        found = self.status(slot)
        if found is None:
            raise Failed(self.obituary(slot))
        return found

    def stop(self, slot: Slot) -> bool:  # noqa: ARG002
        running = self._all(self._site.known())
        if running:
            self._host.stop(running)
        self._site.forget()
        return bool(running)

    def _all(self, known: Known | None) -> list[ProcessId]:
        """Every master that lives."""
        first = {self._host.master(), known and known.master, known and known.undo and known.undo.master}
        found = {master for master in first if master and proc.alive(master)}
        return list(found.union(*(masters.seconds_of(master, self._pidfile) for master in found)))

    # a release

    def check_reload(self, slot: Slot, version: str) -> None:  # noqa: ARG002
        known = self._site.known()
        if known is None or known.undo is None:  # else `reload` ends first what an earlier one has left
            self._host.check(self._running(known))
        for fault in self._words.launch().faults():
            raise fault

    def _running(self, known: Known | None) -> ProcessId:
        master = self._master(known)
        if master is None:
            raise Failed(f"{self._title}: gunicorn does not run", next_step=f"proxyswitch start {self._title}")
        return master

    def reload(self, slot: Slot, version: str, artefact: str, moved: Moved) -> Instance:  # noqa: ARG002
        self._finish(self._site.known())
        old = self._running(self._site.known())
        self._replacing.loads(self._site.folder(version), version)
        undo = self._site.undo(old, masters.workers(old, self._pidfile))
        self._site.remember(version, old, undo)
        self._site.lay(version)
        if self._settings.way == "hup":
            self._hup(old, undo)
            self._check_place(old, version)
            return self._instance(slot)
        new = self._replacing.second(old)
        self._site.remember(version, new, undo)
        self._check_place(new, version)
        self._replacing.hand_over(old, new, undo.workers)
        return self._instance(slot)

    def _check_place(self, master: ProcessId, version: str) -> None:
        """One that was started in the folder of a release, and not by the link, has the code of that one for ever."""
        other = self._words.version_at(proc.link(master.pid, "cwd"))
        if other and other != version:
            raise Failed(
                f"{self._title}: gunicorn's master runs in the folder of version {other}: it was started there, and does not"
                f" follow the link {self._settings.current}",
                next_step=f"start it anew, which is a gap: proxyswitch stop {self._title} --force, then start it",
            )

    def _hup(self, old: ProcessId, undo: Undo) -> None:
        try:
            self._replacing.hup(old, undo.workers, len(undo.workers))
        except UsageError:  # it was not told anything
            self._site.lay_back(undo)
            self._site.remember(self._site.version(), old)
            raise
        self._replacing.leaving(undo.workers)

    def revert(self, slot: Slot, moved: Moved) -> None:  # noqa: ARG002
        known = self._site.known()
        if known is None or known.undo is None:
            return
        self._site.lay_back(known.undo)
        version = self._site.version()
        try:
            back = self._back(known, known.undo, version)
        except NeedsPerson:
            raise
        except ProxyswitchError as error:
            raise self._stuck(error, known) from error
        self._site.remember(version, back)

    def _back(self, known: Known, undo: Undo, version: str) -> ProcessId:
        """The old master takes its workers again; where it has died, the new one takes the old code, or a start does."""
        back = next((m for m in (undo.master, known.master, self._host.master()) if m and proc.alive(m)), None)
        try:
            return self._given_to(back, undo, version)
        except Failed:
            if back is None or proc.alive(back):
                raise
        return self._back(known, undo, version)  # it has died meanwhile: the next one takes over

    def _given_to(self, back: ProcessId | None, undo: Undo, version: str) -> ProcessId:
        if back is None:
            self._context.report(f"{self._title}: no master is left: version {version} is started anew, with a gap")
            self._replacing.alone(None)
            return self._host.start()
        self._replacing.loads(self._words.folder(undo.link), version)
        before = masters.workers(back, self._pidfile)
        self._replacing.hup(back, before, len(undo.workers))
        self._replacing.leaving(before)
        for second in masters.seconds_of(back, self._pidfile):
            end(masters.Masters([second]), signals.TERM, float(self._settings.grace), self._title)
        self._replacing.alone(back)
        self._replacing.promoted(back)
        return back

    def _stuck(self, error: ProxyswitchError, known: Known) -> NeedsPerson:
        alive = {p.pid for p in self._all(known)}
        state = f"{self._settings.current} leads to the old version; masters that run: {sorted(alive) or 'none'}"
        return NeedsPerson(
            error.what, state=state, next_step=error.next_step or "read its log: proxyswitch logs " + self._title
        )

    def confirm(self, slot: Slot) -> None:  # noqa: ARG002
        known = self._site.known()
        if known is None or known.undo is None:
            return
        left = self._replacing.drained(known.undo.workers)
        if left:
            pids = ", ".join(str(worker.pid) for worker in left)
            raise NotDrained(
                f"{self._title} is replaced, but old workers still finish requests: {pids}",
                next_step="the next release ends them; or wait, and end the old master by SIGTERM",
            )
        self._finish(known)

    def _finish(self, known: Known | None) -> None:
        """The old master is ended, whether its workers have finished or not; the new one is the only one."""
        if known is None or known.undo is None:
            return
        old, new = known.undo.master, known.master
        if proc.alive(old) and not proc.alive(new):
            self._context.report(f"{self._title}: the new master has ended: the old one takes the new version")
            self._replacing.hup(old, masters.workers(old, self._pidfile), len(known.undo.workers))
            new = old
        elif old != new:
            self._replacing.end(old, new)
        self._site.remember(known.version, new)
