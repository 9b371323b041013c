"""A new version that has traffic: is it well, does it fail more than it may, does a person say how it goes on?"""

from __future__ import annotations

from proxyswitch import durations
from proxyswitch.errors import Failed
from proxyswitch.proxies.base import Counter, Proxy, Tries
from proxyswitch.release import checks, decisions, plan, steps
from proxyswitch.release.judging import Judge, Sides, View
from proxyswitch.release.world import World
from proxyswitch.settings_release import GIVE_UP, WAIT, Analysis
from proxyswitch.system.clock import Deadline

LOOK = 0.5  # seconds between two looks at the figures
ALL = 100  # percent


class NoTraffic(Failed):
    """Exit 3: too few requests reached the new version to say whether it is well."""


class Aborted(Failed):
    """Exit 3: a person said so."""


def watch(world: World, step: steps.Watch, proxy: Proxy | None) -> None:
    """Watch it as long as the step says. Raises Died, TurnedUnhealthy, Breach, NoTraffic or Aborted."""
    _Watch(world, step, proxy).run()


class _Promoted(Exception):
    """A person said that it goes on: no error, and no need to wait for the end of a pause."""


class _Watch:
    def __init__(self, world: World, step: steps.Watch, proxy: Proxy | None) -> None:
        self.world, self.step = world, step
        self.app = world.app(step.app)
        self.limits = self.app.analysis or Analysis()
        self.counter: Counter | None = proxy.counter(step.pool, self.limits.log) if proxy else None
        self.judge = Judge(self.limits, step.slot, step.old_slot)
        self.seen = Sides()
        self.due = Deadline.after(0)
        self.waits = ""
        self._begin(step.seconds)

    def run(self) -> None:
        try:
            self._hold(self.step.seconds)
            self._traffic()
            if self.step.manual:
                self._decide()
        except _Promoted:
            self.world.report(f"{self.step.app}: promoted")

    def _begin(self, seconds: float, waits: str = "") -> Deadline:
        """From here on it takes so long, and waits for that."""
        self.seconds, self.over, self.waits = seconds, Deadline.after(seconds), waits
        return self.over

    def _hold(self, seconds: float) -> None:
        """Look for so long, at the instance and at the figures."""
        checks.watch(self.world, self.step, seconds, self._look)
        self._figures()

    def _look(self) -> None:
        """What is looked at beside the instance."""
        if self.due.over:
            self._figures()
            self.due = Deadline.after(LOOK)
        if self.step.share < ALL:
            self._heed()

    def _figures(self) -> None:
        if self.counter:
            self.seen = self._sides(self.counter)
            self.judge.judge(self.seen)
        self.world.show(self._view())

    def _sides(self, counter: Counter) -> Sides:
        tries = counter.tries()

        def of(name: str) -> Tries | None:
            return tries.get(str(plan.slot_of(self.step.app, self.app, name).endpoint)) if name else None

        return Sides(of(self.step.slot) or Tries(), of(self.step.old_slot))

    def _view(self) -> View:
        step = self.step
        counted = self.counter is not None
        sides = (step.slot, step.old_slot, step.share, self.seen)
        return View(step.app, *sides, self.seconds, self.over.left, self.waits, counted)

    # at its end

    def _traffic(self) -> None:
        """Too few requests are an outcome of their own."""
        if not self.counter or self.judge.can_tell(self.seen):
            return
        told = self._few()
        if self.limits.on_no_traffic == WAIT:
            self._wait_for_traffic()
        elif self.limits.on_no_traffic == GIVE_UP:
            raise NoTraffic(told, next_step='send it requests, or write on_no_traffic = "promote"')
        elif self.app.analysis or self.step.share < ALL:
            self.world.report(f"warning: {told}; it goes on all the same (on_no_traffic)")

    def _few(self) -> str:
        wanted, got = self.limits.min_requests, self.seen.new.requests
        return f"{self.step.slot} got {got} of the {wanted} requests that are needed to judge it"

    def _wait_for_traffic(self) -> None:
        patience = self._begin(float(self.limits.patience), "requests")
        while not self.judge.can_tell(self.seen):
            if patience.over:
                raise NoTraffic(
                    f"{self._few()}, in {durations.show(self.limits.patience)} more", next_step="send it requests"
                )
            self._hold(min(LOOK, patience.left))

    def _decide(self) -> None:
        """Wait for a person; not for ever."""
        step, patience = self.step, self._begin(self.step.patience, "promote or abort")
        self.world.report(
            f"{step.app}: {step.share} % is well; go on with: proxyswitch promote {step.app}, or: abort {step.app}"
        )
        while not patience.over:
            self._hold(min(LOOK, patience.left))
        raise Aborted(f"nobody has promoted {step.app} within {durations.show(step.patience)}")

    def _heed(self) -> None:
        told = decisions.take(self.step.app)
        if told and told.word == decisions.ABORT:
            raise Aborted(f"{told.user} has aborted the release of {self.step.app}")
        if told:
            raise _Promoted
