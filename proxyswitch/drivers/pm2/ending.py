"""The end of an app's processes: by PM2; and of those whose daemon has been killed, by us."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from proxyswitch.drivers._ending import end
from proxyswitch.drivers._logs import tail
from proxyswitch.drivers._waiting import patiently
from proxyswitch.drivers.pm2.client import Client
from proxyswitch.drivers.pm2.worker import Worker
from proxyswitch.errors import Failed, NeedsPerson
from proxyswitch.model import ProcessId
from proxyswitch.polling import until
from proxyswitch.system import proc, run, signals

INT = signals.number("INT")  # as PM2 asks
GRACE, READ = 10.0, 200


class Orphans:
    """Processes that PM2 does not know any more. What is in fork mode outlives the daemon."""

    def __init__(self, processes: Iterable[ProcessId]) -> None:
        self._processes = list(processes)

    def members(self) -> list[ProcessId]:
        return [process for process in self._processes if proc.alive(process)]

    def ask(self, signum: int) -> None:
        for process in self.members():
            signals.send(process, signum)

    def kill(self) -> None:
        self.ask(signals.KILL)


def stop(client: Client, name: str, title: str, remembered: Sequence[ProcessId]) -> bool:
    """End all processes of an app, which stays in PM2's list. Raises NeedsPerson when one does not end.

    False when nothing ran.
    """
    workers = client.list(name)
    processes = [found for worker in workers if (found := worker.process)]
    if workers:  # one that dies again and again is called stopped for a moment, too
        _by_pm2(client, name, title, workers, processes)
    orphans = [process for process in remembered if process not in processes and proc.alive(process)]
    if orphans and not end(Orphans(orphans), INT, max([GRACE, *(w.kill_timeout for w in workers)]), title):
        client.report(f"warning: {title} did not end within {GRACE:.0f} s and was killed")
    return bool(orphans) or not all(worker.idle for worker in workers)


def _by_pm2(client: Client, name: str, title: str, workers: Sequence[Worker], processes: Sequence[ProcessId]) -> None:
    limit = 60.0 + sum(worker.kill_timeout * 2 + worker.listen_timeout for worker in workers)

    def stopped() -> run.Result | None:
        """PM2 starts a process again that is stopped before it was ready, or before its time for that is over."""
        if any(worker.launching for worker in client.list(name)):
            return None
        result = client.act("stop", name, limit=limit)
        return result if not result.ok or all(worker.idle for worker in client.list(name)) else None

    result = patiently(stopped, limit, client.report, f"{title}: waiting until PM2 can stop it")
    if not until(lambda: None if any(map(proc.alive, processes)) else True, 5.0):
        alive = ", ".join(str(process.pid) for process in processes if proc.alive(process))
        raise NeedsPerson(
            f"{title} does not end, not even by SIGKILL",
            state=f"still running: process {alive}",
            next_step="look what it waits for (/proc/PID/wchan, dmesg), end it, then run this again",
        )
    if result is None or not result.ok:
        why = result.reason() if result else "PM2 starts it again and again"
        raise Failed(f"{title}: pm2 stop {name}: {why}", next_step=f"look at it: pm2 ls, pm2 logs {name}")
    _say_who_was_killed(client, title, workers)


def _say_who_was_killed(client: Client, title: str, workers: Sequence[Worker]) -> None:
    """PM2 tells it to its own log only."""
    lines = tail(Path(client.log()), READ)
    for worker in workers:
        if worker.pid and any(f"pid {worker.pid} still alive after" in line for line in lines):
            client.report(f"warning: {title}: process {worker.pid} did not end within its kill_timeout: PM2 has killed it")
