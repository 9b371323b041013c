"""The engine: steps in order, the journal before and after each, and everything taken back when one fails."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxyswitch.errors import Failed, Interrupted, NeedsPerson, NotDrained
from proxyswitch.proxies.base import Left
from proxyswitch.release.engine import Engine, plan_of
from proxyswitch.release.intents import SwitchTo
from proxyswitch.release.journal import Journal
from proxyswitch.release.steps import (
    AnyStep,
    Drain,
    EditConfig,
    Follow,
    Plan,
    Prove,
    RunHook,
    StartInstance,
    StopInstance,
    WaitHealthy,
)
from proxyswitch.release.world import World
from proxyswitch.settings import Settings
from tests.release.values import GREEN

START, OTHER = StartInstance("web", "green", "2"), StartInstance("web", "red", "2")
HEALTHY = WaitHealthy("web", "green", "2")
EDIT, PROVE = EditConfig("p", SwitchTo((GREEN,))), Prove("p")
DRAIN, STOP = Drain("p", 1), StopInstance("web", "blue")
HOOK = RunHook("web", "after_release", "green", "2")
PLAN = Plan((START, OTHER, HEALTHY, EDIT, PROVE, DRAIN, STOP, HOOK), 5)
UNDO_START, UNDO_OTHER = StopInstance("web", "green"), StopInstance("web", "red")


class Recorded(Engine):
    """Does nothing, and writes down what it would have done. `when` maps a step to what happens then."""

    def __init__(self, when: dict[AnyStep, Callable[[], object]] | None = None, journal: Journal | None = None) -> None:
        self.said: list[str] = []
        super().__init__(World(Settings(), report=self.said.append), journal=journal)
        self.when = when or {}
        self.did: list[AnyStep | str] = []

    def do(self, step: AnyStep) -> None:
        self.did.append(step)
        self.when.get(step, lambda: None)()

    def _revert(self, edits: list[tuple[int, EditConfig | Follow]]) -> None:
        self.did.append(f"revert {edits[0][1].pool}")


def failing(error: BaseException) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


def signalled(signum: int) -> Callable[[], object]:
    return lambda: os.kill(os.getpid(), signum)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "app-web.jsonl")
    made.begin(id="1")
    return made


def steps_of(journal: Journal) -> list[tuple[int, str]]:
    return [(r["number"], r["state"]) for r in journal.records()[1:]]


def test_the_steps_are_done_in_order_and_announced_before(journal: Journal) -> None:
    engine = Recorded(journal=journal)
    seen: list[int] = []
    engine.when = {step: lambda: seen.append(len(steps_of(journal))) for step in PLAN.steps}
    engine.run(PLAN)
    assert engine.did == list(PLAN.steps)
    assert steps_of(journal) == [(n, state) for n in range(8) for state in ("begin", "done")]
    assert seen == [1, 3, 5, 7, 9, 11, 13, 15]


def test_a_failure_takes_back_the_last_first(journal: Journal) -> None:
    engine = Recorded({PROVE: failing(Failed("no"))}, journal)
    with pytest.raises(Failed, match="no") as caught:
        engine.run(PLAN)
    assert caught.value.exit_code == 3
    assert engine.did == [START, OTHER, HEALTHY, EDIT, PROVE, "revert p", UNDO_OTHER, UNDO_START]
    assert engine.said == ["taking back: stop web in slot red", "taking back: stop web in slot green"]
    assert caught.value.outcome is engine.outcome
    assert not engine.committed


def test_what_was_done_and_taken_back_is_measured() -> None:
    engine = Recorded({OTHER: failing(Failed("it began"))})
    with pytest.raises(Failed):
        engine.run(PLAN)
    assert [(t.step, t.failed) for t in engine.timings.steps] == [
        ("start web 2 in slot green", False),
        ("start web 2 in slot red", True),
        ("take back: start web 2 in slot red", False),
        ("take back: start web 2 in slot green", False),
    ]
    times = [t.at for t in engine.timings.steps]
    assert times == sorted(times)


def test_a_step_that_failed_half_way_is_taken_back_too() -> None:
    engine = Recorded({OTHER: failing(Failed("it began"))})
    with pytest.raises(Failed):
        engine.run(PLAN)
    assert engine.did == [START, OTHER, UNDO_OTHER, UNDO_START]


@pytest.mark.parametrize("error", [Failed("stuck", state="it runs"), OSError("disk gone"), ValueError("a bug")])
def test_an_undo_that_fails_does_not_stop_the_others(error: Exception) -> None:
    engine = Recorded({HEALTHY: failing(Failed("ill")), UNDO_OTHER: failing(error)})
    with pytest.raises(NeedsPerson) as caught:
        engine.run(PLAN)
    assert engine.did[-2:] == [UNDO_OTHER, UNDO_START]
    assert caught.value.exit_code == 4
    assert caught.value.what == "ill; and it could not all be taken back"
    assert caught.value.state.startswith("start web 2 in slot red: ")
    assert str(error) in caught.value.state
    assert "proxyswitch recover" in caught.value.next_step


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_takes_everything_back(signum: int) -> None:
    before = signal.getsignal(signum)
    engine = Recorded({HEALTHY: signalled(signum)})
    with pytest.raises(Interrupted) as caught:
        engine.run(PLAN)
    assert caught.value.exit_code == 128 + signum
    assert engine.did == [START, OTHER, HEALTHY, UNDO_OTHER, UNDO_START]
    assert signal.getsignal(signum) == before


def test_a_signal_between_two_steps_takes_everything_back(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    class Between(tuple[AnyStep, ...]):
        def __iter__(self) -> Any:
            for number, step in enumerate(tuple.__iter__(self)):
                if number == 2:
                    os.kill(os.getpid(), signal.SIGTERM)
                yield step

    engine = Recorded(journal=journal)
    with pytest.raises(Interrupted):
        engine.run(Plan(Between(PLAN.steps), PLAN.commit))
    assert engine.did == [START, OTHER, UNDO_OTHER, UNDO_START]


def test_a_second_signal_waits_for_the_undos() -> None:
    engine = Recorded({HEALTHY: signalled(signal.SIGTERM), UNDO_OTHER: signalled(signal.SIGINT)})
    with pytest.raises(Interrupted):
        engine.run(PLAN)
    assert engine.did == [START, OTHER, HEALTHY, UNDO_OTHER, UNDO_START]


def test_nothing_is_taken_back_behind_the_commit_point() -> None:
    engine = Recorded({STOP: failing(Failed("it stays", next_step="look"))})
    with pytest.raises(NeedsPerson) as caught:
        engine.run(PLAN)
    assert engine.did == list(PLAN.steps[:7])
    assert (caught.value.exit_code, caught.value.what, caught.value.next_step) == (4, "it stays", "look")
    assert caught.value.state.startswith("the new version is live")
    assert engine.committed


def test_what_has_not_drained_is_not_taken_back_either() -> None:
    engine = Recorded({DRAIN: failing(NotDrained("2 left"))})
    with pytest.raises(NotDrained) as caught:
        engine.run(PLAN)
    assert caught.value.exit_code == 5
    assert engine.did == list(PLAN.steps[:6])


def test_a_signal_behind_the_commit_point_leaves_the_new_side() -> None:
    engine = Recorded({DRAIN: signalled(signal.SIGTERM)})
    with pytest.raises(Interrupted) as caught:
        engine.run(PLAN)
    assert caught.value.exit_code == 143
    assert caught.value.state == "switched; the old side is left running"
    assert engine.did == list(PLAN.steps[:6])


ALL = (START, OTHER, HEALTHY, EDIT, PROVE, DRAIN, STOP, HOOK)


@given(at=st.integers(0, 7), commit=st.integers(0, 8), broken=st.sets(st.sampled_from([UNDO_START, UNDO_OTHER])))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wherever_it_fails_the_undos_are_those_of_what_had_begun(at: int, commit: int, broken: set[AnyStep]) -> None:
    when: dict[AnyStep, Callable[[], object]] = {step: failing(Failed("undo")) for step in broken}
    engine = Recorded({ALL[at]: failing(Failed("step")), **when})
    with pytest.raises((Failed, NeedsPerson)):
        engine.run(Plan(ALL, commit))
    undone = engine.did[at + 1 :]
    if at >= commit:
        assert undone == []
    else:
        names: Iterable[AnyStep | str] = ["revert p"] * (at >= 3) + [UNDO_OTHER] * (at >= 1) + [UNDO_START]
        assert undone == list(names)


# after a crash


@pytest.mark.parametrize(
    ("begun", "done", "told", "did"),
    [
        ([], [], "took back", []),
        ([0], [], "took back", [UNDO_START]),
        ([0, 1, 2], [0, 1], "took back", [UNDO_OTHER, UNDO_START]),
        ([0, 1, 2, 3, 4], [0, 1, 2, 3], "took back", ["revert p", UNDO_OTHER, UNDO_START]),
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], "finished", [DRAIN, STOP, HOOK]),
        ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4], "finished", [DRAIN, STOP, HOOK]),
        ([0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5], "finished", [STOP, HOOK]),
        ([0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6], "finished", []),  # a hook is not run twice
    ],
)
def test_an_interrupted_plan_is_finished_or_taken_back(
    journal: Journal, begun: list[int], done: list[int], told: str, did: list[AnyStep | str]
) -> None:
    for number in begun:
        journal.add("step", number=number, state="begin")
        if number in done:
            journal.add("step", number=number, state="done")
    engine = Recorded(journal=journal)
    assert engine.resume(PLAN) == told
    assert engine.did == did


def test_what_recovery_cannot_take_back_is_for_a_person(journal: Journal) -> None:
    for number in (0, 1):
        journal.add("step", number=number, state="begin")
    engine = Recorded({UNDO_OTHER: failing(Failed("no"))}, journal)
    with pytest.raises(NeedsPerson, match="could not be taken back whole"):
        engine.resume(PLAN)
    assert engine.did == [UNDO_OTHER, UNDO_START]


def test_the_plan_is_read_back_from_the_journal(tmp_path: Path) -> None:
    import msgspec

    journal = Journal(tmp_path / "j.jsonl")
    assert plan_of(journal) is None
    journal.begin(id="1", plan=msgspec.to_builtins(PLAN))
    assert plan_of(journal) == PLAN


# drain


class Draining:
    """A proxy whose old side is gone after so many looks."""

    name = "nginx"

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.tokens: list[Any] = []

    def leftovers(self, pool: str = "") -> Any:
        return f"leftovers of {pool}"

    def press(self, token: Any) -> str:
        return ""

    def release(self, token: Any) -> None:
        pass

    def draining(self, token: Any) -> Left | None:
        self.tokens.append(token)
        self.looks -= 1
        return Left(2, "2 workers") if self.looks >= 0 else None


def drained(proxy: Draining, step: Drain, old_side: Any = "mine") -> Engine:
    world = World(Settings(), _proxies={"nginx": proxy})  # type: ignore[dict-item]
    engine = Engine(world)
    if old_side is not None:
        engine.traffic.old_sides["nginx", "p"] = old_side
    engine.do(step)
    return engine


def test_drain_waits_for_those_who_served_before() -> None:
    proxy = Draining(3)
    drained(proxy, Drain("p", 60))
    assert proxy.tokens == ["mine"] * 4


def test_drain_gives_up_when_its_time_is_over() -> None:
    with pytest.raises(NotDrained, match=r"the old side has not drained: .*2 workers"):
        drained(Draining(10**6), Drain("p", 0.02))


def test_a_slot_that_is_not_free_yet_is_a_failure_with_everything_as_before() -> None:
    proxy = Draining(10**6)
    with pytest.raises(Failed, match=r"the slot is not free yet: .*2 workers") as caught:
        drained(proxy, Drain("p", 0.02, earlier=True))
    assert caught.value.exit_code == 3
    assert set(proxy.tokens) == {"leftovers of p"}


def test_a_finished_run_drains_what_is_left_when_nothing_else_is_known() -> None:
    proxy = Draining(0)
    drained(proxy, Drain("p", 1), old_side=None)
    assert proxy.tokens == ["leftovers of p"]


class Sticky(Draining):
    """A proxy whose old side is idle, and whose clients come back: making them leave fails at first."""

    def __init__(self, failures: int) -> None:
        super().__init__(0)
        self.failures = failures
        self.pressed = 0

    def press(self, token: Any) -> str:
        self.failures -= 1
        if self.failures >= 0:
            raise Failed("the socket does not answer")
        self.pressed += 1
        return "they leave" if self.pressed == 1 else ""


def test_clients_that_cannot_be_made_to_leave_are_not_drained() -> None:
    with pytest.raises(NotDrained, match="the socket does not answer"):
        drained(Sticky(10**6), Drain("p", 0.02))


def test_making_them_leave_is_tried_again() -> None:
    proxy = Sticky(2)
    drained(proxy, Drain("p", 60))
    assert proxy.pressed == 2
