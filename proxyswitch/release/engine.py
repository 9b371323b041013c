"""The engine: the only one that acts. It knows steps, not strategies.

Each step is announced in the journal before it is begun and confirmed after; what takes it back is known before. When a step
fails, or a signal arrives, before the plan's commit point, all that was begun is taken back, the last first; one undo that
fails does not stop the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import msgspec

from proxyswitch.errors import Interrupted, NeedsPerson, NotDrained, ProxyswitchError
from proxyswitch.release import intents, steps
from proxyswitch.release.journal import Journal
from proxyswitch.release.steps import AnyStep, Plan
from proxyswitch.release.timings import Timings
from proxyswitch.release.traffic import Outcome, Traffic
from proxyswitch.release.transaction import Tag
from proxyswitch.release.world import World
from proxyswitch.system import clock, signals

Numbered = tuple[int, AnyStep]


class Engine:
    """Runs one plan. `journal` is None for a change of one pool: the transaction's own journal is enough there."""

    def __init__(
        self, world: World, *, proxy: str = "nginx", tag: Tag | None = None, journal: Journal | None = None
    ) -> None:
        self.world = world
        self.journal = journal
        self.traffic = Traffic(world, proxy, tag or Tag(), self._settled)
        self.committed = False
        self.decisive = False  # the last step that can be undone is under way
        self.number = -1  # of the step that is under way
        self.away: float | None = None  # since then nobody serves
        self.steps: tuple[AnyStep, ...] = ()
        self.commit = 0
        self.begun = 0.0
        self.timings = Timings()

    @property
    def outcome(self) -> Outcome:
        return self.traffic.outcome

    def run(self, plan: Plan) -> Outcome:
        """Do the plan. Raises what stopped it, after taking back what was begun."""
        begun = clock.now()
        try:
            with signals.interruptible():
                self._run(plan)
        except ProxyswitchError as error:
            error.outcome = self.outcome
            raise
        finally:
            self.outcome.seconds = round(clock.now() - begun, 3)
        return self.outcome

    def _run(self, plan: Plan) -> None:
        begun: list[Numbered] = []
        self.steps, self.commit, self.begun = plan.steps, plan.commit, clock.now()
        self.traffic.drains = plan.drains
        try:
            for number, step in enumerate(plan.steps):
                self.committed = number >= plan.commit
                self.decisive = number + 1 >= plan.commit
                self.number = number
                begun.append((number, step))
                self._note(number, "begin")
                with self.timings.of(steps.describe(step)):
                    self.do(step)
                self._note(number, "done")
        except BaseException as error:  # also between two steps: a signal does not wait for one
            with signals.uninterrupted():
                self._stopped(begun, error)
            raise

    def _note(self, number: int, what: str) -> None:
        if self.journal:
            self.journal.add("step", number=number, state=what)
            self.world.event("step", {"number": number, "state": what, "step": steps.describe(self.steps[number])})
            if what == "done" and number + 1 == self.commit:
                self.world.event("switched", {"seconds": round(clock.now() - self.begun, 3)})

    def _settled(self) -> None:
        self.committed = self.decisive

    def _stopped(self, begun: list[Numbered], error: BaseException) -> None:
        """A step failed: before the commit point everything is taken back, behind it the new side stays."""
        if self.committed:
            self._explain_committed(error)
            return
        problems = self.take_back(begun)
        if problems:
            what = error.what if isinstance(error, ProxyswitchError) else str(error)
            raise NeedsPerson(
                f"{what}; and it could not all be taken back",
                state="; ".join(problems),
                next_step="put that right by hand, then run: proxyswitch recover",
            ) from error

    def _explain_committed(self, error: BaseException) -> None:
        if isinstance(error, Interrupted):
            error.state = "switched; the old side is left running"
        elif isinstance(error, ProxyswitchError) and not isinstance(error, NotDrained | NeedsPerson):
            raise NeedsPerson(
                error.what,
                state="the new version is live; only what comes after the switch is not done",
                next_step=error.next_step or "put that right by hand: proxyswitch status shows what runs",
            ) from error

    def take_back(self, begun: list[Numbered]) -> list[str]:
        """Undo those steps, the last first. Returns what could not be undone, in words."""
        problems = []
        for group in _undoable(begun):
            step = group[0][1]
            try:
                with self.timings.of(f"take back: {steps.describe(step)}"):
                    self._take_back(group)
            except ProxyswitchError as error:
                problems.append(f"{steps.describe(step)}: {error.what} ({error.state})")
            except Exception as error:  # noqa: BLE001  # whatever it is, the others are undone
                problems.append(f"{steps.describe(step)}: {type(error).__name__}: {error}")
        return problems

    def _take_back(self, group: list[Numbered]) -> None:
        edits = [(n, step) for n, step in group if isinstance(step, steps.EditConfig | steps.Follow)]
        if edits:
            self._revert(edits)
            return
        step = group[0][1]
        if isinstance(step, steps.Migrate):
            self.world.report(f"the migration of {step.app} {step.version} stays: nothing runs backwards")
        for undo in steps.undo_of(step):
            self._let_finish(step)
            self.world.report(f"taking back: {steps.describe(undo)}")
            self.do(undo)

    def _revert(self, edits: list[tuple[int, steps.EditConfig | steps.Follow]]) -> None:
        self.traffic.revert(edits)

    def _let_finish(self, step: AnyStep) -> None:
        """Requests that had reached the new version are answered before it is stopped, as long as it lives."""
        from proxyswitch.release import instances

        if not self.traffic.reverted or not isinstance(step, steps.StartInstance | steps.ReloadInstance):
            return
        app = self.world.app(step.app)
        if not instances.runs(self.world, step.app, step.slot):
            return
        for proxy, pool in app.targets:
            self.traffic.let_finish(self.world.proxy(proxy), pool, float(app.drain), f"{step.app} {step.version}")

    # the steps

    def do(self, step: AnyStep) -> None:
        """One step, by its kind."""
        handlers: dict[type[Any], Callable[[Any], None]] = {
            steps.RunHook: self._run_hook,
            steps.Migrate: self._migrate,
            steps.StartInstance: self._start,
            steps.StopInstance: self._stop,
            steps.ReloadInstance: self._reload,
            steps.RevertInstance: self._revert_instance,
            steps.ConfirmInstance: self._confirm,
            steps.Follow: self._follow,
            steps.WaitHealthy: self._wait_healthy,
            steps.WarmUp: self._warm_up,
            steps.EditConfig: self._edit,
            steps.Prove: self._prove,
            steps.Watch: self._watch,
            steps.Drain: self.traffic.drain,
        }
        handlers[type(step)](step)

    def _edit(self, step: steps.EditConfig) -> None:
        self.traffic.edit(step, self.number)

    def _prove(self, step: steps.Prove) -> None:
        self.traffic.prove(step)
        self._served()

    def _start(self, step: steps.StartInstance) -> None:
        from proxyswitch.release import instances

        if step.again and instances.runs(self.world, step.app, step.slot):
            return
        self.world.detail(steps.describe(step))
        instances.start(self.world, step)

    def _stop(self, step: steps.StopInstance) -> None:
        from proxyswitch.release import instances

        if step.gap:
            self.away = clock.now()
        instances.stop(self.world, step.app, step.slot)

    def _served(self) -> None:
        """Whoever was away may be there again: the gap is as long as until the last of these."""
        if self.away is not None:
            self.outcome.gap = round(clock.now() - self.away, 3)

    def _reload(self, step: steps.ReloadInstance) -> None:
        from proxyswitch.release import instances

        self.world.detail(steps.describe(step))
        instances.reload(self.world, step, self.traffic.mover(step, self.number))

    def _revert_instance(self, step: steps.RevertInstance) -> None:
        from proxyswitch.release import instances

        instances.revert(self.world, step, self.traffic.mover(step))

    def _confirm(self, step: steps.ConfirmInstance) -> None:
        from proxyswitch.release import instances

        instances.confirm(self.world, step)

    def _follow(self, step: steps.Follow) -> None:
        from proxyswitch.release import instances

        found = instances.endpoints(self.world, step.app, step.slot)
        self.traffic.mover(step, self.number)(found)

    def _wait_healthy(self, step: steps.WaitHealthy) -> None:
        from proxyswitch.release import checks

        checks.wait_healthy(self.world, step)
        self._served()

    def _warm_up(self, step: steps.WarmUp) -> None:
        from proxyswitch.release import warming

        warming.warm_up(self.world, step)

    def _watch(self, step: steps.Watch) -> None:
        from proxyswitch.release import watching

        watching.watch(self.world, step, self.traffic.proxy(step.proxy) if step.pool else None)

    def _run_hook(self, step: steps.RunHook) -> None:
        from proxyswitch.release import hooks

        hooks.run_hook(self.world, step)

    def _migrate(self, step: steps.Migrate) -> None:
        from proxyswitch.release import migrations

        migrations.run(self.world, step)

    # after a crash

    def resume(self, plan: Plan) -> str:
        """Finish or undo a plan whose run was killed, from its journal. Returns in words what was done."""
        assert self.journal is not None  # noqa: S101  # only a journalled plan can be resumed
        begun, done = _progress(self.journal)
        with signals.interruptible():
            if any(n >= plan.commit for n in begun) or plan.commit - 1 in done:
                self._finish(plan, begun, done)
                return "finished"
            problems = self.take_back([(n, plan.steps[n]) for n in begun])
        if problems:
            raise NeedsPerson(
                "an interrupted release could not be taken back whole",
                state="; ".join(problems),
                next_step="put that right by hand, then run: proxyswitch recover",
            )
        return "took back"

    def _finish(self, plan: Plan, begun: list[int], done: list[int]) -> None:
        """What comes behind the switch: the old side is drained and stopped. A hook that had begun is not run twice."""
        for number in range(plan.commit, len(plan.steps)):
            step = plan.steps[number]
            if number in done or (number in begun and isinstance(step, steps.RunHook)):
                continue
            self.do(step)


def _undoable(begun: list[Numbered]) -> Iterator[list[Numbered]]:
    """Steps that have something to take back, the last first. Edits of one pool with nothing between them are one group:
    traffic goes back at once, and not by the way that it came."""
    reversed_ = [(n, step) for n, step in reversed(begun) if _key(n, step) is not None]
    for _, group in groupby(reversed_, key=lambda pair: _key(*pair)):
        yield list(group)


def _key(number: int, step: AnyStep) -> tuple[object, ...] | None:
    """Steps with the same key are taken back together; None for those with nothing to take back."""
    match step:
        case steps.EditConfig(intent=intents.Maintain()):
            return (number,)
        case steps.EditConfig():
            return (step.proxy, step.pool)
        case steps.Follow() | steps.Migrate():
            return (number,)
    return (number,) if steps.undo_of(step) else None


def _progress(journal: Journal) -> tuple[list[int], list[int]]:
    """The numbers of the steps that had begun, and of those that were done."""
    records = [r for r in journal.records() if r["kind"] == "step"]
    begun = [r["number"] for r in records if r["state"] == "begin"]
    return begun, [r["number"] for r in records if r["state"] == "done"]


def plan_of(journal: Journal) -> Plan | None:
    """The plan that a journal holds; None when nothing was interrupted."""
    records = journal.records()
    return msgspec.convert(records[0]["plan"], Plan) if records else None
