"""The PM2 driver: the app is a name in PM2, or one a slot. With one slot it is reloaded in place.

How an app is started is told by its ecosystem file, by the settings, or by PM2 itself, and handed to PM2 with what a release
sets over it (app.config.cjs). PM2 keeps the path of a program over a reload: another version gets there by a link.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from proxyswitch.drivers import _current
from proxyswitch.drivers._adopted import describe, holders
from proxyswitch.drivers._memory import Memory
from proxyswitch.drivers.base import Context, Moved
from proxyswitch.drivers.pm2 import doctor
from proxyswitch.drivers.pm2.client import CONFIG, Client, said
from proxyswitch.drivers.pm2.ending import stop
from proxyswitch.drivers.pm2.known import NOBODY, Before, Known, load, me
from proxyswitch.drivers.pm2.orders import Definition, Orders
from proxyswitch.drivers.pm2.replacing import Replacing, shown
from proxyswitch.drivers.pm2.worker import Worker, last_lines, last_words
from proxyswitch.errors import Failed, NeedsPerson, ProxyswitchError, SettingsError, UsageError
from proxyswitch.model import Health, Instance, Problem, ProcessId, Slot
from proxyswitch.polling import until
from proxyswitch.system import net, proc


class Pm2:
    """See drivers.base.Driver and InPlace."""

    def __init__(self, context: Context) -> None:
        if context.app.pm2 is None:
            raise SettingsError(f"apps.{context.name}.pm2: this table is required, with at least a name")
        self._name, self._settings, self._report = context.name, context.app.pm2, context.report
        self._slots, self._in_place, self._health = context.app.places, context.app.in_place, context.app.health
        self._client = Client(context.name, self._settings, context.report)
        self._memory = Memory(context.folder, Known, "pm2")

    def about(self) -> str:
        state = "runs" if self._client.runs() else "does not run yet"
        return f"PM2 {self._client.version()}, whose daemon {state} ({self._client.home})"

    def problems(self) -> list[Problem]:
        found = [problem for slot in self._slots for problem in self._problems(slot)]
        if self._in_place and "{version}" not in repr(self._health):
            what = "the health check does not ask for the version: that the new one serves is then not proven"
            found.append(Problem(what, "put {version} into apps." + self._name + ".health"))
        return list(dict.fromkeys(found))

    def _problems(self, slot: Slot) -> Iterator[Problem]:
        orders, running = self._orders(slot), self._workers(slot)
        faults = [*orders.faults(""), *doctor.unwritable(orders)]
        yield from (Problem(fault.what, fault.next_step) for fault in faults)
        if not faults and orders.knows("") and (running or not orders.by_name):
            wanted = self._wanted(orders, "")
            yield from doctor.problems(orders, wanted, running, in_place=self._in_place)
        elif orders.by_name and not running:
            yield from doctor.problems(orders, Definition(), running, in_place=False)
        yield from doctor.boot(self._client, orders, running)

    # what it is about

    def _orders(self, slot: Slot) -> Orders:
        return Orders(self._name, self._settings, slot)

    def _title(self, slot: Slot) -> str:
        return f"{self._name}:{slot.name}"

    def _replacing(self, slot: Slot) -> Replacing:
        timeout = float(self._settings.start_timeout)
        return Replacing(self._title(slot), self._orders(slot), self._client, self._report, timeout)

    def _wanted(self, orders: Orders, version: str) -> Definition:
        return msgspec.json.decode(self._client.asked(orders.run(version)), type=Definition)

    # look

    def _workers(self, slot: Slot) -> list[Worker]:
        """Those that run."""
        return [worker for worker in self._client.list(self._orders(slot).name) if worker.up]

    def status(self, slot: Slot) -> Instance | None:
        known = load(self._memory, slot.name)
        if known and known.ours:  # what this very run has brought up has died, even where PM2 has started it again
            return self._instance(slot, known.version, known.workers) if known.whole else None
        workers = self._workers(slot)
        if not workers:
            left = [process for process in known.workers if proc.alive(process)] if known else []
            return self._instance(slot, known.version, left) if known and left else None
        versions = {worker.version(self._orders(slot).pattern) for worker in workers}
        version = versions.pop() if len(versions) == 1 else ""
        starting = any(worker.launching for worker in workers)
        return self._instance(slot, version, _processes(workers), Health.STARTING if starting else Health.UNKNOWN)

    def _instance(
        self, slot: Slot, version: str, processes: Sequence[ProcessId], health: Health = Health.UNKNOWN
    ) -> Instance:
        first = min(processes, key=lambda process: process.start)
        return Instance(slot.name, version, first, proc.started(first), health=health)

    def logs(self, slot: Slot, lines: int) -> Iterator[str]:
        yield from last_lines(self._client.list(self._orders(slot).name), lines)

    def obituary(self, slot: Slot) -> str:
        name, workers = self._orders(slot).name, self._client.list(self._orders(slot).name)
        if not workers:
            return f"{name}: {self._absence(slot)}"
        fates = "; ".join(dict.fromkeys(worker.fate() for worker in workers))
        return "\n  ".join([f"{name} is {fates}", *last_words(workers)])

    def _absence(self, slot: Slot) -> str:
        """Why PM2 does not list an app. A command of somebody's may have started another daemon in the meantime."""
        known = load(self._memory, slot.name)
        ended = known and known.daemon != NOBODY and not proc.alive(known.daemon)
        if ended or not self._client.runs():
            return f"PM2's daemon has ended ({self._client.home})" if ended else f"PM2 does not run ({self._client.home})"
        return "PM2 does not know it"

    # start

    def check(self, slot: Slot) -> None:
        there, orders = self.status(slot), self._orders(slot)
        if there:
            what = f"{self._title(slot)} is already running: process {there.pid}"
            raise Failed(what, next_step=f"proxyswitch stop {self._title(slot)}")
        self._client.program()
        for fault in (*orders.faults(""), *doctor.unwritable(orders)):
            raise fault
        self._check_source(orders)
        if net.is_listening(slot.endpoint):
            raise UsageError(
                f"{slot.endpoint}, where {self._title(slot)} should listen, is taken by {describe(holders(slot.endpoint))}",
                next_step="stop it, or give the slot another address",
            )

    def _check_source(self, orders: Orders) -> None:
        """How it is to be started can be known, and leads to what can be released later."""
        if orders.by_name and not self._client.list(orders.name):
            step = f"start it once, as you used to; or name its ecosystem or script in apps.{self._name}.pm2"
            raise UsageError(f"PM2 knows no app {orders.name}", next_step=step)
        if orders.knows(""):
            self._refuse_gap(orders, "", [])

    def _refuse_gap(self, orders: Orders, version: str, running: Sequence[Worker]) -> Definition:
        wanted = self._wanted(orders, version)
        for fault in doctor.gaps(orders, wanted, running) if self._in_place and not self._settings.allow_gap else ():
            raise fault
        return wanted

    def start(self, slot: Slot, version: str, artefact: str = "") -> Instance:  # noqa: ARG002  # a version is a name here
        self.check(slot)
        orders = self._orders(slot)
        for fault in orders.faults(version):
            raise fault
        self._memory.save(slot.name, Known(version))
        self._lay(orders, version)
        return self._begun(slot, version)

    def _lay(self, orders: Orders, version: str) -> None:
        if orders.link:
            _current.move(orders.link, orders.folder(version))

    def _begun(self, slot: Slot, version: str) -> Instance:
        """Start what lies ready. What does not come up is ended again."""
        orders, replacing = self._orders(slot), self._replacing(slot)
        self._refuse_gap(orders, version, [])
        stale = self._client.list(orders.name)
        if stale and not orders.by_name:  # PM2 would keep its paths and what was in its environment
            self._client.done("delete", orders.name)
        try:
            self._start(orders, version)
            workers = replacing.prove(version)
            again = {worker.pm_id: worker.pm2_env.restart_time for worker in stale} if orders.by_name else {}
            if any(worker.pm2_env.restart_time > again.get(worker.pm_id, 0) for worker in workers):
                raise Failed(f"{self._name} {version} has died and was started again: {self.obituary(slot)}")
        except BaseException:
            stop(self._client, orders.name, self._title(slot), [])
            raise
        return self._runs(slot, Known(version, _processes(workers)))

    def _start(self, orders: Orders, version: str) -> None:
        limit = float(self._settings.start_timeout)
        result = self._client.act("start", CONFIG, order=orders.run(version), limit=limit)
        if not result.ok:
            words = shown(last_words(self._client.list(orders.name)))
            raise Failed(
                f"{self._title(orders.slot)}: {version} did not start: pm2 start: {result.reason()}{said(result)}{words}"
            )

    def _runs(self, slot: Slot, known: Known) -> Instance:
        """Remember what has come up, and that this run has brought it up."""
        self._memory.save(slot.name, replace(known, boot=proc.boot(), by=me(), daemon=self._client.daemon() or NOBODY))
        self._save()
        return self._instance(slot, known.version, known.workers)

    def _save(self) -> None:
        if self._settings.save and self._client.runs():
            self._client.save()

    # stop

    def stop(self, slot: Slot) -> bool:
        known = load(self._memory, slot.name)
        stopped = stop(self._client, self._orders(slot).name, self._title(slot), known.workers if known else [])
        self._memory.forget(slot.name)
        if known and known.orphaned:
            raise NeedsPerson(
                f"{self._title(slot)}: PM2's daemon has ended in mid-release, and all that it ran in cluster mode",
                state=f"nothing runs in slot {slot.name}; pm2 resurrect brings back what PM2 had saved of the rest",
                next_step="pm2 resurrect, then: proxyswitch recover, and look: proxyswitch status",
            )
        if stopped:
            self._save()
        return stopped

    # in place

    def check_reload(self, slot: Slot, version: str) -> None:
        orders, workers = self._orders(slot), self._workers(slot)
        for fault in (*orders.faults(version), *doctor.unwritable(orders)):
            raise fault
        if not workers:
            raise self._gone(slot)
        for fault in doctor.astray(orders, workers):
            raise fault
        if orders.knows(version):
            self._refuse_gap(orders, version, workers)

    def _gone(self, slot: Slot) -> ProxyswitchError:
        """What ran when the release began does not any more; `revert` brings back a version that we have started."""
        what = self.obituary(slot)
        if load(self._memory, slot.name):
            return Failed(what)
        step = "bring back what PM2 ran (pm2 resurrect), then run: proxyswitch recover"
        return NeedsPerson(what, state=f"nothing runs in slot {slot.name}", next_step=step)

    def reload(self, slot: Slot, version: str, artefact: str, moved: Moved) -> Instance:  # noqa: ARG002  # it moves nothing
        orders, replacing, there = self._orders(slot), self._replacing(slot), self.status(slot)
        workers = self._workers(slot)
        wanted = self._refuse_gap(orders, version, workers)
        if self._settings.preflight:
            replacing.preflight(version, wanted)
        link = _current.points_to(orders.link) if orders.link else ""
        before = Before(there.version if there else "", _processes(workers), link)
        self._memory.save(slot.name, Known(before.version, before.workers, proc.boot(), before=before))
        self._lay(orders, version)
        replacing.reload(orders.run(version, workers), wanted, len(workers))
        after = replacing.prove(version, workers)
        return self._runs(slot, Known(version, _processes(after), before=before))

    def revert(self, slot: Slot, moved: Moved) -> None:  # noqa: ARG002
        known = load(self._memory, slot.name)
        self._replacing(slot).clear()
        if known is None or (known.before is None and self._workers(slot)):
            return
        orders = self._orders(slot)
        before = known.before or Before(known.version, [], _current.points_to(orders.link) if orders.link else "")
        if orders.link:
            _current.back(orders.link, before.link)
        try:
            workers = self._gone_back(slot, before)
        except NeedsPerson:
            raise
        except ProxyswitchError as error:
            raise self._stuck(slot, before, error) from error
        self._runs(slot, Known(before.version, workers))

    def _gone_back(self, slot: Slot, before: Before) -> list[ProcessId]:
        """The processes of the old version. Raises Failed when they do not come up."""
        orders, replacing = self._orders(slot), self._replacing(slot)
        workers = self._client.list(orders.name)
        if workers and set(before.workers) == set(_processes(workers)):
            return before.workers  # PM2 was not told anything yet
        if not any(worker.up for worker in workers):
            self._report(f"{self._title(slot)}: no worker is left: version {before.version} is started anew, with a gap")
        if workers:
            replacing.reload(orders.run(before.version, workers), self._wanted(orders, before.version), len(workers))
        else:
            self._check_source(orders)
            self._start(orders, before.version)
        until(lambda: net.is_listening(slot.endpoint) or None, float(self._settings.start_timeout))
        return _processes(replacing.prove(before.version))

    def _stuck(self, slot: Slot, before: Before, error: ProxyswitchError) -> NeedsPerson:
        name = self._orders(slot).name
        return NeedsPerson(
            f"{name} cannot go back to {before.version or 'the version before'}: {error.what}",
            state=f"the link and the settings are as before; {self.obituary(slot)}",
            next_step=error.next_step or f"look at it (pm2 ls, pm2 logs {name}), then run: proxyswitch recover",
        )

    def confirm(self, slot: Slot) -> None:
        known = load(self._memory, slot.name)
        if known and known.before:
            self._memory.save(slot.name, replace(known, before=None))
            self._save()


def _processes(workers: Sequence[Worker]) -> list[ProcessId]:
    return [process for worker in workers if (process := worker.process)]
