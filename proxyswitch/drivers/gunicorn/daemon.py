"""A gunicorn that is a daemon, found by its pid file: started by us, or by a person before us."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from proxyswitch import durations
from proxyswitch.drivers._ending import end
from proxyswitch.drivers._launch import MARKER
from proxyswitch.drivers._logs import tail
from proxyswitch.drivers._waiting import patiently
from proxyswitch.drivers.gunicorn import master as masters
from proxyswitch.drivers.gunicorn.words import Words
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import ProcessId
from proxyswitch.polling import Report
from proxyswitch.system import files, net, proc, run, signals
from proxyswitch.system.clock import Deadline

UNSEEN = 2.0  # seconds after which a daemon that nobody sees has ended
USR2, WINCH = signals.number("USR2"), signals.number("WINCH")
KEEP = "gunicorn writes it when it starts: name the same file there (--pid) and here (pidfile)"


class Host(Protocol):
    """Who keeps a master running."""

    def about(self) -> str:
        """How it is reached. Raises UsageError where that cannot be done."""

    def master(self) -> ProcessId | None:
        """The master; the first of two."""

    def faults(self) -> Iterator[UsageError]:
        """Why no version could be started, or replaced, whatever it is."""

    def check(self, master: ProcessId) -> None:
        """Raise UsageError unless that master can be told to replace its workers."""

    def start(self) -> ProcessId:
        """Bring a master up through the link."""

    def hup(self, master: ProcessId) -> None:
        """Let it replace its workers, with the config and the code where the link leads now."""

    def stop(self, running: Iterable[ProcessId]) -> None:
        """End these masters, their workers in grace."""

    def tail(self, lines: int) -> list[str]:
        """The last lines that gunicorn wrote."""


class Daemon:
    """See Host."""

    def __init__(self, title: str, words: Words, log: str, report: Report) -> None:
        self._title, self._words, self._log, self._report = title, words, log, report
        self._settings, self._pidfile = words.settings, words.pidfile
        self._unseen: Deadline | None = None

    def about(self) -> str:
        return f"pid file {self._pidfile}"

    def master(self) -> ProcessId | None:
        return masters.master_of(self._pidfile)

    def faults(self) -> Iterator[UsageError]:
        master = self.master()
        if master and not signals.may_signal(master):
            what = f"no permission to signal gunicorn's master, process {master.pid}"
            yield UsageError(what, next_step="run it as the user who started it, or with sudo")

    def check(self, master: ProcessId) -> None:
        for fault in self.faults():
            raise fault
        if master.pid not in net.listeners(self._words.slot.endpoint):
            what = f"process {master.pid}, named by {self._pidfile}, does not listen at {self._words.slot.endpoint}"
            raise UsageError(what, next_step=KEEP)
        if masters.seconds_of(master, self._pidfile):
            what = f"{self._title} has two masters: somebody has sent USR2 to process {master.pid}"
            raise UsageError(what, next_step=f"finish that first: kill -QUIT {master.pid} ends the first of them")
        if self._settings.way == "usr2" and masters.in_foreground(master):
            what = f"gunicorn's master, process {master.pid}, is no daemon: it passes over WINCH, so usr2 cannot be used"
            step = f'proxyswitch restart {self._title} starts it as one (this has a gap); or write method = "hup"'
            raise UsageError(what, next_step=step)

    def start(self) -> ProcessId:
        files.make_folder(Path(self._log).parent, 0o750)
        self._drop_pidfile()
        child = run.spawn(self._words.start(self._marker, self._log))
        try:
            found = patiently(
                lambda: self._begun(child), float(self._settings.start_timeout), self._report, f"{self._title} starts"
            )
            if found is None:
                raise Failed(f"{self._title}: gunicorn has not written {self._pidfile} in time{self._said()}")
        except BaseException:
            end(masters.Masters(self._marked()), signals.KILL, 0, self._title)
            raise
        return found

    def _begun(self, child: ProcessId) -> ProcessId | None:
        """The daemon, once it is up. What we have spawned ends with 0 as soon as the daemon is on its own."""
        code = run.reap(child.pid)
        if code:
            raise Failed(f"{self._title}: gunicorn {run.ending(code)}{self._said()}")
        found = self.master()
        if found or self._marked():
            self._unseen = None
        elif code == 0:
            # between two of its forks a daemon may not be seen for a moment
            self._unseen = self._unseen or Deadline.after(UNSEEN)
            if self._unseen.over:
                raise Failed(f"{self._title}: gunicorn has ended at once{self._said()}")
        return found

    def _said(self) -> str:
        return "".join(f"\n  | {line}" for line in self.tail(5))

    @property
    def _marker(self) -> str:
        """The same in every run, and in no other app, slot or state folder."""
        whose = f"{self._title}\0{os.path.realpath(os.path.dirname(self._log))}"
        return f"gunicorn-{hashlib.sha256(os.fsencode(whose)).hexdigest()[:32]}"

    def _marked(self) -> list[ProcessId]:
        """What we have started and nothing knows of yet: a start that was cut off left it."""
        return proc.with_environment(MARKER, self._marker)

    def hup(self, master: ProcessId) -> None:
        signals.send(master, signals.HUP)

    def stop(self, running: Iterable[ProcessId]) -> None:
        if not end(masters.Masters(running), signals.TERM, float(self._settings.grace), self._title):
            grace = durations.show(float(self._settings.grace))
            self._report(f"warning: {self._title}: gunicorn did not end within {grace} and was killed")
        self._drop_pidfile()

    def _drop_pidfile(self) -> None:
        """One that a kill left: gunicorn does not start while it names any process."""
        for path in (self._pidfile, f"{self._pidfile}.2"):
            if masters.pid_in(path) and masters.master_of(path) is None:
                files.remove(path)

    def tail(self, lines: int) -> list[str]:
        return tail(Path(self._log), lines)
