"""The steps of a release in place, each with its proof: one process of the new version beside the app, then the reload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proxyswitch import durations
from proxyswitch.drivers._waiting import patiently
from proxyswitch.drivers.pm2.client import CONFIG, Client, said
from proxyswitch.drivers.pm2.orders import Definition, Order, Orders
from proxyswitch.drivers.pm2.worker import Worker, last_words
from proxyswitch.errors import Failed
from proxyswitch.model import Endpoint, Slot
from proxyswitch.polling import Report
from proxyswitch.system import files, net, run

OVERHEAD = 10.0  # what PM2 itself may take for a process, in seconds
BUSY = "already in progress"


@dataclass(frozen=True, slots=True)
class Replacing:
    """`title` is APP:SLOT; `timeout` for what comes up, in seconds."""

    title: str
    orders: Orders
    client: Client
    report: Report
    timeout: float

    def workers(self) -> list[Worker]:
        return self.client.list(self.orders.name)

    # before

    def preflight(self, version: str, wanted: Definition) -> None:
        """Raise Failed unless a process of that version, by itself, gets ready. Nothing that runs is touched."""
        slot = Slot(self.orders.slot.name, _beside(self.orders.slot.endpoint))
        self.clear()
        try:
            result = self.client.act(
                "start", CONFIG, order=self.orders.preflight(version, slot, self.timeout), limit=self.timeout
            )
            self._judge(version, wanted, slot, result)
        finally:
            self.clear()

    def clear(self) -> None:
        """End a preflight, also one that a run which was killed has left; its log is no other one's."""
        found = self.client.list(self.orders.preflight_name)
        if found:
            self.client.done("delete", self.orders.preflight_name)
        for path in (path for worker in found for path in worker.logs if path.startswith(f"{self.client.home}/logs/")):
            files.remove(path)

    def _judge(self, version: str, wanted: Definition, slot: Slot, result: run.Result) -> None:
        found = self.client.list(self.orders.preflight_name)
        if not result.ok and not (result.timed_out and found):
            raise Failed(f"{self.title}: version {version} cannot be tried: {result.reason()}{said(result)}")
        if not found or not found[0].up:
            raise self._unfit(version, "died before it was ready", found)
        if wanted.waits and (result.timed_out or found[0].launching):
            raise self._unfit(version, f"did not say ready within {durations.show(self.timeout)}", found)
        if not wanted.waits and not self._comes_up(slot):
            raise self._unfit(version, f"did not listen at {slot.endpoint} within {durations.show(self.timeout)}", found)
        if wanted.waits and result.seconds > wanted.listens_within:
            took, given = durations.show(result.seconds), durations.show(wanted.listens_within)
            raise Failed(
                f"{self.title}: version {version} was ready after {took}, but PM2 ends the old workers after {given}",
                next_step="set listen_timeout well above that",
            )

    def _comes_up(self, slot: Slot) -> bool:
        """Until it listens where it was told to; False when it died, or did not in time."""

        def look() -> bool | None:
            if net.is_listening(slot.endpoint):
                return True
            found = self.client.list(self.orders.preflight_name)
            return None if found and found[0].up else False

        return bool(patiently(look, self.timeout, self.report, f"{self.title}: waiting for one of the new version"))

    def _unfit(self, version: str, what: str, found: Sequence[Worker]) -> Failed:
        words = shown(last_words(found))
        fate = f": {found[0].fate()}" if found else ""
        step = (
            "one process of it was tried, at an address of its own (PORT and HOST tell it); the app itself was not touched"
        )
        return Failed(f"{self.title}: version {version} {what}{fate}{words}", next_step=step)

    # the reload

    def reload(self, order: Order, wanted: Definition, count: int) -> None:
        """Let PM2 replace each worker. Raises Failed when it does not do it; what came up is not looked at.

        PM2 refuses a worker that another reload is at (of a run that was killed) with status 0: `_startJson` in its API.js.
        """
        each = wanted.listens_within + wanted.ends_within * 2 + OVERHEAD
        limit = each * max(count, 1) + self.timeout

        def look() -> run.Result | None:
            done = self.client.act("reload", CONFIG, "--force", order=order, limit=limit)
            return None if BUSY in done.out + done.err else done

        self._settled(each)
        result = patiently(look, each, self.report, f"{self.title}: waiting for an earlier reload")
        if result is None or not result.ok:
            why = result.reason() + said(result) if result else "another reload of it does not end"
            raise Failed(f"{self.title}: pm2 reload: {why}")

    def _settled(self, limit: float) -> None:
        """Wait while a worker comes up: a run that was killed may have begun that."""

        def look() -> bool | None:
            return None if any(worker.launching for worker in self.workers()) else True

        patiently(look, limit, self.report, f"{self.title}: waiting for a worker that comes up")

    def prove(self, version: str, before: Sequence[Worker] = ()) -> list[Worker]:
        """All workers, each of which is up and runs that version; and of those before, each was replaced, and once."""
        after = self.workers()
        starts = {worker.pm_id: worker.pm2_env.restart_time + 1 for worker in before}
        old = {worker.pid for worker in before}
        wrong = [
            f"worker {worker.pm_id}: {why}"
            for worker in after
            if (why := self._wrong(worker, version, starts.get(worker.pm_id), old))
        ]
        missing = [f"worker {pm_id} is gone" for pm_id in sorted(starts.keys() - {worker.pm_id for worker in after})]
        if wrong or missing or not after:
            what = "; ".join(wrong + missing) or "PM2 does not know the app any more"
            raise Failed(f"{self.title}: {version} does not run everywhere: {what}{shown(last_words(after))}")
        return after

    def _wrong(self, worker: Worker, version: str, starts: int | None, old: set[int | None]) -> str:
        if not worker.up:
            return worker.fate()
        if worker.pid in old:
            return f"process {worker.pid} is still the old one"
        if starts is not None and worker.pm2_env.restart_time != starts:
            return f"it has died: {worker.fate()}"
        runs = worker.version(self.orders.pattern)
        return "" if runs == version else f"process {worker.pid} runs version {runs or '(unknown)'}"


def _beside(place: Endpoint) -> Endpoint:
    """An address for one more process."""
    if place.path:
        return Endpoint(path=f"{place.path}.preflight")
    return Endpoint("127.0.0.1", net.free_port())


def shown(lines: Sequence[str]) -> str:
    """The last lines of somebody, below a sentence."""
    return "".join(f"\n  | {line}" for line in lines)
