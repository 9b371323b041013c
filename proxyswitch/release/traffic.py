"""The steps that move traffic: an edit and its proof are one transaction, and each can be taken back by its inverse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import msgspec

from proxyswitch import durations
from proxyswitch.errors import Failed, NeedsPerson, NotDrained, ProxyswitchError
from proxyswitch.model import Endpoint, Pool, PoolChange
from proxyswitch.proxies.base import Proxy
from proxyswitch.release import draining, history, intents, steps
from proxyswitch.release.history import Entry, History
from proxyswitch.release.transaction import Tag, Transaction
from proxyswitch.release.world import World
from proxyswitch.system import clock, signals, state

Edit = steps.EditConfig | steps.Follow
Moving = steps.ReloadInstance | steps.RevertInstance | steps.Follow


@dataclass(slots=True)
class Outcome:
    """What came of a plan. `gap` in seconds: so long nobody served; `drain`: so long the old side took to finish."""

    changed: bool = False
    change: PoolChange | None = None
    pool: Pool | None = None
    mode: str = ""
    facts: dict[str, object] = field(default_factory=dict)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    gap: float = 0.0
    drain: float = 0.0


def alone() -> None:
    """A `settled` for a change that belongs to no plan."""


class Traffic:
    """What one run does to pools. `settled` is called, shielded from signals, when a change is written down as done."""

    def __init__(self, world: World, proxy_name: str, tag: Tag, settled: Callable[[], None] = alone) -> None:
        self.world, self.proxy_name, self.tag, self.settled = world, proxy_name, tag, settled
        self.transaction: Transaction | None = None
        self.outcome = Outcome()
        self.old_sides: dict[tuple[str, str], Any] = {}
        self.drains = False  # somebody waits for the old side
        self.reverted = False  # traffic had reached the new side, and was taken back

    def proxy(self, name: str = "") -> Proxy:
        return self.world.proxy(name or self.proxy_name)

    # forth

    def edit(self, step: steps.EditConfig, number: int = -1) -> None:
        """Make the change; not done before `prove`."""
        tag = replace(self.tag, step=number, app=step.app or self.tag.app)
        proxy, timeout = self.proxy(step.proxy), self.world.proxy_timeout
        self.transaction = Transaction(proxy, timeout=timeout, report=self.world.report, tag=tag)
        try:
            self.transaction.open(step.pool, step.intent, force=step.force)
        except BaseException as error:
            with signals.uninterrupted():
                self._abort(error)
            raise

    def prove(self, _step: steps.Prove) -> None:
        """Prove the edit before, and write it down."""
        transaction = self.transaction
        if transaction is None:
            return
        transaction.prove()
        with signals.uninterrupted():  # what history says was done, and what we say, must be the same
            transaction.settle()
            self.transaction = None
            self.settled()
            self._note(transaction)

    def _note(self, transaction: Transaction) -> None:
        proxy, candidate = transaction.proxy, transaction.candidate
        old_side = transaction.old_side
        self.outcome.changed = transaction.changed
        stays = proxy.stays(old_side) if old_side and not self.drains else ""
        if stays:
            self.world.report(f"warning: {stays} (--drain makes them leave)")
        self.outcome.change = transaction.change
        if candidate:
            self.old_sides[proxy.name, candidate.pool.name] = old_side
            self.outcome.pool = candidate.pool
            self.outcome.mode = proxy.mode(candidate)
            self.outcome.facts = proxy.facts()

    def change(self, pool: str, intent: steps.AnyIntent, proxy: str = "", number: int = -1) -> None:
        """An edit and its proof, in one."""
        self.edit(steps.EditConfig(pool, intent, force=True, proxy=proxy), number)
        try:
            self.prove(steps.Prove(pool, proxy))
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

    def mover(self, step: Moving, number: int = -1) -> Callable[[tuple[Endpoint, ...]], None]:
        """Moves the traffic of a pool to where an app listens now; each time a change and a proof of its own."""

        def move(endpoints: tuple[Endpoint, ...]) -> None:
            if not step.pool:
                return
            mover = Traffic(self.world, self.proxy_name, Tag(app=step.app, release=self.tag.release))
            mover.change(step.pool, intents.SwitchTo(tuple(map(str, endpoints)), reuse=True), step.proxy, number)
            if mover.outcome.changed:
                drain, self.outcome = self.outcome.drain, mover.outcome
                self.outcome.drain = drain
                self.old_sides |= mover.old_sides

        return move

    # the old side

    def drain(self, step: steps.Drain) -> None:
        """Wait for exactly those who served before the switch; whoever reloads later does not make it longer."""
        proxy, begun = self.proxy(step.proxy), clock.now()
        known = None if step.earlier else self.old_sides.get((proxy.name, step.pool))
        token = known if known is not None else proxy.leftovers(step.pool)
        left = draining.wait(self.world, proxy, token, step.seconds, close=step.close)
        self.outcome.drain = round(self.outcome.drain + clock.now() - begun, 3)
        if left is not None:
            raise _not_drained(step, f"after {durations.show(step.seconds)} there is still: {left.what}")

    def let_finish(self, proxy: Proxy, pool: str, seconds: float, who: str) -> None:
        """Requests that had reached a new version are answered before it is stopped."""
        token = proxy.leftovers(pool)
        if proxy.draining(token) is None:
            return
        self.world.report(f"waiting at most {durations.show(seconds)} for requests that {who} answers")
        left = draining.wait(self.world, proxy, token, seconds)
        if left:
            self.world.report(f"warning: after {durations.show(seconds)} there is still: {left.what}")

    # back

    def revert(self, edits: list[tuple[int, Edit]]) -> None:
        """Take edits of one pool back, given with their numbers: from the journal while not proven, else by their inverse
        in one change of its own."""
        if self.transaction:
            transaction, self.transaction = self.transaction, None
            self.reverted = transaction.changed
            transaction.abort()
        step = edits[0][1]
        done = self._done(step.pool, {number for number, _ in edits})
        if isinstance(step, steps.EditConfig) and isinstance(step.intent, intents.Maintain):
            self._reopen(step, step.intent, done)
        else:
            self._inverse(step.pool, step.proxy, done)

    def _reopen(self, step: steps.EditConfig, intent: intents.Maintain, done: list[Entry]) -> None:
        """Open what a step has closed, or the reverse."""
        if done:
            tag = Tag(history.ROLLBACK, done[0].app, done[0].id, self.tag.release)
            gate = msgspec.structs.replace(intent, closed=not intent.closed)
            Traffic(self.world, self.proxy_name, tag).change(step.pool, gate, step.proxy)

    def _inverse(self, pool: str, proxy: str, done: list[Entry]) -> None:
        changes = [entry.change for entry in done if entry.change]
        if not changes:
            return
        self.world.report(f"taking back: the switch of {pool}")
        self.reverted = True
        back = reduce(PoolChange.then, changes).inverse()
        tag = Tag(history.ROLLBACK, done[0].app, " ".join(entry.id for entry in done), self.tag.release)
        Traffic(self.world, self.proxy_name, tag).change(pool, intents.Exactly(back, restores=done[0].id), proxy)

    def _done(self, pool: str, numbers: set[int]) -> list[Entry]:
        """The changes of a pool that these steps of this release made and that are not taken back, the oldest first."""
        if not self.tag.release:
            return []
        entries = History(state.folder() / "history.jsonl").entries()
        gone = history.taken_back(entries)
        ours = (e for e in entries if e.release == self.tag.release and e.pool == pool and e.step in numbers)
        return [e for e in ours if e.kind == history.SWITCH and e.id not in gone]


def _not_drained(step: steps.Drain, message: str) -> ProxyswitchError:
    if step.earlier:
        return Failed(
            f"the slot is not free yet: {message}",
            next_step="wait for them, then run it again; --drain sets how long at most",
        )
    if step.strict:
        return Failed(
            f"{step.pool}: what is to be replaced has not drained: {message}",
            next_step="a longer drain in the settings, or find out who holds on",
        )
    return NotDrained(
        f"{step.pool} has switched, but the old side has not drained: {message}",
        next_step="run the same command again to wait on, then stop the old side",
    )
