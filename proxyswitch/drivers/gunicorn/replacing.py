"""The steps of a replacement, each with its wait: load the new code, a second master, fresh workers, the old ones gone."""

from __future__ import annotations

from dataclasses import dataclass

from proxyswitch.drivers._ending import end
from proxyswitch.drivers._logs import last_words
from proxyswitch.drivers._waiting import patiently
from proxyswitch.drivers.gunicorn import master as masters
from proxyswitch.drivers.gunicorn.daemon import USR2, WINCH, Host
from proxyswitch.drivers.gunicorn.words import Words
from proxyswitch.errors import Failed
from proxyswitch.model import ProcessId
from proxyswitch.polling import Report
from proxyswitch.system import clock, net, proc, run, signals

LINES = 10
SETTLE = 10.0  # seconds after which fewer workers than before are taken for what the config wants
ORPHANED = 15.0
PROMOTION = 15.0  # a second master looks each second whether the first is gone


@dataclass(frozen=True, slots=True)
class Replacing:
    """`title` is APP:SLOT; `timeout` for what comes up, `drain` for requests under way, `grace` for an end; seconds."""

    title: str
    words: Words
    host: Host
    report: Report
    timeout: float
    drain: float
    grace: float

    def loads(self, folder: str, version: str) -> None:
        """Raise Failed unless config and app of that folder can be loaded. Nothing that runs is touched."""
        result = run.run(self.words.check(folder, version, self.timeout))
        if result.ok:
            return
        lines = (result.out + result.err).strip().splitlines()[-LINES:]
        raise Failed(
            f"{self.title}: version {version or '(unknown)'} cannot be loaded: {result.reason()}{shown(lines)}",
            next_step=f"mend it in {folder}; gunicorn was not told anything",
        )

    def second(self, old: ProcessId) -> ProcessId:
        """Bring up a second master. Raises Failed when it ends at once or does not come."""
        seen: list[ProcessId] = []

        def look() -> ProcessId | None:
            found = masters.seconds_of(old, self.words.pidfile)
            seen.extend(found)
            if (seen and not found) or not proc.alive(old):
                raise self.failed("gunicorn's second master has ended" if proc.alive(old) else "gunicorn's master has ended")
            return found[0] if found else None

        signals.send(old, USR2)
        new = patiently(look, self.timeout, self.report, f"{self.title}: waiting for the second master")
        if new is None:
            raise self.failed("gunicorn does not bring up a second master")
        return new

    def hand_over(self, old: ProcessId, new: ProcessId, before: list[ProcessId]) -> None:
        """When the workers of the new master are up, those of the old one end."""
        self.fresh(new, [], len(before))
        signals.send(old, WINCH)
        self.leaving(before)

    def leaving(self, before: list[ProcessId]) -> None:
        """Wait until the first of the old workers is gone: by then the others take no new requests either."""
        what = f"{self.title}: waiting for an old worker to end"
        if (
            before
            and patiently(lambda: None if all(map(proc.alive, before)) else True, self.drain, self.report, what) is None
        ):
            raise self.failed("no old worker has ended: all are busy, or gunicorn is no daemon and passes over WINCH")

    def hup(self, master: ProcessId, before: list[ProcessId], wanted: int) -> None:
        """Let a master replace its workers, and wait for the fresh ones."""
        self.host.hup(master)
        self.fresh(master, before, wanted)

    def fresh(self, master: ProcessId, before: list[ProcessId], wanted: int) -> None:
        """Wait until `wanted` workers have loaded the app, not counting those from before; or fewer, after a while."""
        begun = clock.now()

        def look() -> bool | None:
            if not proc.alive(master):
                raise self.failed(f"gunicorn's master, process {master.pid}, has ended")
            there = [w for w in masters.workers(master, self.words.pidfile) if w not in before]
            up = sum(map(masters.has_reported, there))
            return True if up >= max(1, wanted) or (up and clock.now() - begun > SETTLE) else None

        timeout = self.timeout + (self.drain if before else 0)  # a master may first wait for older workers
        if patiently(look, timeout, self.report, f"{self.title}: waiting for new workers") is None:
            raise self.failed("no worker of the new version is up in time")

    def drained(self, workers: list[ProcessId]) -> list[ProcessId]:
        """Wait for workers that finish their requests; those that are left when the time is up."""

        def gone() -> bool | None:
            return None if any(map(proc.alive, workers)) else True

        patiently(gone, self.drain, self.report, f"{self.title}: waiting for requests that old workers finish")
        return [w for w in workers if proc.alive(w)]

    def alone(self, master: ProcessId | None) -> None:
        """Wait until nobody else takes requests: workers whose master was killed notice that after a second or so."""

        def look() -> bool | None:
            return None if self._strangers(master) else True

        if patiently(look, ORPHANED, self.report, f"{self.title}: waiting for workers without a master") is None:
            pids = ", ".join(map(str, self._strangers(master)))
            raise self.failed(f"beside gunicorn, these processes still listen at {self.words.slot.endpoint}: {pids}")

    def _strangers(self, master: ProcessId | None) -> list[int]:
        """Who listens at the slot's address, and is neither that master nor below it nor above it, as systemd may be."""
        above = {1, *(proc.lineage(master.pid) if master else ())}
        there = (pid for pid in net.listeners(self.words.slot.endpoint) if pid not in above)
        return [pid for pid in there if master is None or master.pid not in proc.lineage(pid)]

    def end(self, old: ProcessId, new: ProcessId) -> None:
        """End a master whose workers have gone; the other one takes its place, and its pid file."""
        end(masters.Masters([old], spared=[new]), signals.TERM, self.grace, self.title)
        self.promoted(new)

    def promoted(self, new: ProcessId) -> None:
        """Wait until that master has taken the pid file over."""

        def look() -> bool | None:
            if not proc.alive(new):
                raise self.failed(f"gunicorn's master, process {new.pid}, has ended")
            return True if self.host.master() == new else None

        if patiently(look, PROMOTION, self.report, f"{self.title}: waiting for the pid file") is None:
            raise self.failed(f"process {new.pid} does not take over {self.words.pidfile}")

    def failed(self, what: str) -> Failed:
        """With the last lines of the log."""
        return Failed(f"{self.title}: {what}{shown(last_words(self.host.tail))}")


def shown(lines: list[str]) -> str:
    """The last lines of somebody, below a sentence."""
    return "".join(f"\n  | {line}" for line in lines)
