"""The engine: the only one that acts. It knows steps, not strategies.

Each step is announced in the journal before it is begun and confirmed after; what takes it back is known before. When a step
fails, or a signal arrives, before the plan's commit point, all that was begun is taken back, the last first; one undo that
fails does not stop the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from proxyswitch import durations
from proxyswitch.errors import Failed, Interrupted, NeedsPerson, NotDrained, ProxyswitchError
from proxyswitch.model import Pool, PoolChange
from proxyswitch.proxies.base import Proxy
from proxyswitch.release import draining, history, intents, steps
from proxyswitch.release.history import History
from proxyswitch.release.journal import Journal
from proxyswitch.release.steps import AnyStep, Plan
from proxyswitch.release.transaction import Tag, Transaction
from proxyswitch.release.world import World
from proxyswitch.system import clock, signals, state


@dataclass(slots=True)
class Outcome:
    """What came of a plan."""

    changed: bool = False
    change: PoolChange | None = None
    pool: Pool | None = None
    mode: str = ""
    facts: dict[str, object] = field(default_factory=dict)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


class Engine:
    """Runs one plan. `journal` is None for a change of one pool: the transaction's own journal is enough there."""

    def __init__(
        self, world: World, *, proxy: str = "nginx", tag: Tag | None = None, journal: Journal | None = None
    ) -> None:
        self.world = world
        self.proxy_name = proxy
        self.tag = tag or Tag()
        self.journal = journal
        self.transaction: Transaction | None = None
        self.outcome = Outcome()
        self.old_side: Any = None
        self.committed = False
        self.drains = False
        self.reverted = False  # traffic had reached the new side, and was taken back
        self.decisive = False  # the last step that can be undone is under way

    @property
    def proxy(self) -> Proxy:
        return self.world.proxy(self.proxy_name)

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
        begun: list[AnyStep] = []
        self.drains = plan.drains
        try:
            for number, step in enumerate(plan.steps):
                self.committed = number >= plan.commit
                self.decisive = number + 1 >= plan.commit
                begun.append(step)
                self._note(number, "begin")
                self.do(step)
                self._note(number, "done")
        except BaseException as error:  # also between two steps: a signal does not wait for one
            with signals.uninterrupted():
                self._stopped(begun, error)
            raise

    def _note(self, number: int, what: str) -> None:
        if self.journal:
            self.journal.add("step", number=number, state=what)

    def _stopped(self, begun: list[AnyStep], error: BaseException) -> None:
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

    def take_back(self, begun: list[AnyStep]) -> list[str]:
        """Undo those steps, the last first. Returns what could not be undone, in words."""
        problems = []
        for step in reversed(begun):
            try:
                self._take_back(step)
            except ProxyswitchError as error:
                problems.append(f"{steps.describe(step)}: {error.what} ({error.state})")
            except Exception as error:  # noqa: BLE001  # whatever it is, the others are undone
                problems.append(f"{steps.describe(step)}: {type(error).__name__}: {error}")
        return problems

    def _take_back(self, step: AnyStep) -> None:
        if isinstance(step, steps.EditConfig):
            self._revert(step)
        undo = steps.undo_of(step)
        if undo:
            self._let_finish(step)
            self.world.report(f"taking back: {steps.describe(undo)}")
            self.do(undo)

    def _let_finish(self, step: AnyStep) -> None:
        """Requests that had reached the new version are answered before it is stopped, as long as it lives."""
        from proxyswitch.release import instances

        if not self.reverted or not isinstance(step, steps.StartInstance):
            return
        app = self.world.app(step.app)
        token, seconds = self.proxy.leftovers(app.pool), float(app.drain)
        if self.proxy.draining(token) is None or not instances.runs(self.world, step.app, step.slot):
            return
        self.world.report(f"waiting at most {durations.show(seconds)} for requests that {step.app} {step.version} answers")
        left = draining.wait(self.world, self.proxy, token, seconds)
        if left:
            self.world.report(f"warning: after {durations.show(seconds)} there is still: {left.what}")

    def _revert(self, step: steps.EditConfig) -> None:
        """Take an edit back: from its journal while it is not proven, else by its inverse in a change of its own."""
        if self.transaction:
            transaction, self.transaction = self.transaction, None
            self.reverted = transaction.changed
            transaction.abort()
        done = self._edit_of_this_release(step.pool)
        if done and done.change:
            self.world.report(f"taking back: the switch of {step.pool}")
            tag = Tag(history.ROLLBACK, step.app, done.id, self.tag.release)
            self.reverted = True
            Engine(self.world, proxy=self.proxy_name, tag=tag).change(step.pool, intents.Exactly(done.change.inverse()))

    def _edit_of_this_release(self, pool: str) -> history.Entry | None:
        if not self.tag.release:
            return None
        past = History(state.folder() / "history.jsonl")
        return past.last(lambda e: e.kind == history.SWITCH and e.release == self.tag.release and e.pool == pool)

    def change(self, pool: str, intent: steps.AnyIntent) -> None:
        """An edit and its proof, in one."""
        self.do(steps.EditConfig(pool, intent, force=True))
        try:
            self.do(steps.Prove(pool))
        except BaseException as error:
            self._abort(error)
            raise

    def _abort(self, error: BaseException) -> None:
        """Take the edit back. Raises NeedsPerson, which tells of the first error too, when that does not succeed."""
        if not self.transaction:
            return
        transaction, self.transaction = self.transaction, None
        try:
            transaction.abort()
        except NeedsPerson as worse:
            first = error.what if isinstance(error, ProxyswitchError) else str(error)
            raise NeedsPerson(f"{first}; then {worse.what}", state=worse.state, next_step=worse.next_step) from error

    # the steps

    def do(self, step: AnyStep) -> None:
        """One step, by its kind."""
        handlers: dict[type[Any], Callable[[Any], None]] = {
            steps.RunHook: self._run_hook,
            steps.StartInstance: self._start,
            steps.StopInstance: self._stop,
            steps.WaitHealthy: self._wait_healthy,
            steps.EditConfig: self._edit,
            steps.Prove: self._prove,
            steps.Watch: self._watch,
            steps.Drain: self._drain,
        }
        handlers[type(step)](step)

    def _edit(self, step: steps.EditConfig) -> None:
        self.transaction = Transaction(self.proxy, timeout=self.world.proxy_timeout, report=self.world.report, tag=self.tag)
        try:
            self.transaction.open(step.pool, step.intent, force=step.force)
        except BaseException as error:
            with signals.uninterrupted():
                self._abort(error)
            raise

    def _prove(self, _step: steps.Prove) -> None:
        transaction = self.transaction
        if transaction is None:
            return
        transaction.prove()
        with signals.uninterrupted():  # what history says was done, and what we say, must be the same
            transaction.settle()
            self._settled(transaction)

    def _settled(self, transaction: Transaction) -> None:
        self.transaction = None
        self.committed = self.decisive
        self.old_side = transaction.old_side
        self.outcome.changed = transaction.changed
        stays = self.proxy.stays(self.old_side) if self.old_side and not self.drains else ""
        if stays:
            self.world.report(f"warning: {stays} (--drain makes them leave)")
        self.outcome.change = transaction.change
        if transaction.candidate:
            self.outcome.pool = transaction.candidate.pool
            self.outcome.mode = self.proxy.mode(transaction.candidate)
            self.outcome.facts = self.proxy.facts()

    def _drain(self, step: steps.Drain) -> None:
        """Wait for exactly those who served before the switch; whoever reloads later does not make it longer."""
        token = self.old_side if self.old_side is not None and not step.earlier else self.proxy.leftovers(step.pool)
        left = draining.wait(self.world, self.proxy, token, step.seconds, close=step.close)
        if left is None:
            return
        message = f"after {durations.show(step.seconds)} there is still: {left.what}"
        if step.earlier:
            raise Failed(
                f"the slot is not free yet: {message}",
                next_step="wait for them, then run it again; --drain sets how long at most",
            )
        raise NotDrained(
            f"{step.pool} has switched, but the old side has not drained: {message}",
            next_step="run the same command again to wait on, then stop the old side",
        )

    def _start(self, step: steps.StartInstance) -> None:
        from proxyswitch.release import instances

        self.world.report(steps.describe(step))
        instances.start(self.world, step.app, step.slot, step.version)

    def _stop(self, step: steps.StopInstance) -> None:
        from proxyswitch.release import instances

        instances.stop(self.world, step.app, step.slot)

    def _wait_healthy(self, step: steps.WaitHealthy) -> None:
        from proxyswitch.release import instances

        instances.wait_healthy(self.world, step)

    def _watch(self, step: steps.Watch) -> None:
        from proxyswitch.release import instances

        instances.watch(self.world, step)

    def _run_hook(self, step: steps.RunHook) -> None:
        from proxyswitch.release import hooks

        hooks.run_hook(self.world, step)

    # after a crash

    def resume(self, plan: Plan) -> str:
        """Finish or undo a plan whose run was killed, from its journal. Returns in words what was done."""
        assert self.journal is not None  # noqa: S101  # only a journalled plan can be resumed
        begun, done = _progress(self.journal)
        with signals.interruptible():
            if any(n >= plan.commit for n in begun) or plan.commit - 1 in done:
                self._finish(plan, begun, done)
                return "finished"
            problems = self.take_back([plan.steps[n] for n in begun])
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


def _progress(journal: Journal) -> tuple[list[int], list[int]]:
    """The numbers of the steps that had begun, and of those that were done."""
    records = [r for r in journal.records() if r["kind"] == "step"]
    begun = [r["number"] for r in records if r["state"] == "begin"]
    return begun, [r["number"] for r in records if r["state"] == "done"]


def plan_of(journal: Journal) -> Plan | None:
    """The plan that a journal holds; None when nothing was interrupted."""
    records = journal.records()
    return msgspec.convert(records[0]["plan"], Plan) if records else None
