"""Plans: which steps in which order, for every situation that a release can start from. No server is needed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import reduce
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyswitch import settings, settings_release
from proxyswitch.errors import UsageError
from proxyswitch.model import PoolChange, Server, ServerChange, ServerState
from proxyswitch.release import intents, plan, strategies
from proxyswitch.release.intents import Exactly, SetState, SetStates, SetWeights, Share, SwitchTo
from proxyswitch.release.steps import (
    Drain,
    EditConfig,
    Plan,
    Prove,
    RunHook,
    StartInstance,
    StopInstance,
    WaitHealthy,
    Watch,
    undo_of,
)
from proxyswitch.settings import Seconds
from tests.release.values import BLUE, GREEN, SLOTS, app, pool, release

HOOKS = settings.Hooks(prepare="a", before_switch="b", after_switch="c", after_release="d", on_failure="e")


def kinds(found: Plan) -> list[str]:
    """The steps by name; a hook by the hook's."""
    return [s.hook if isinstance(s, RunHook) else type(s).__name__ for s in found.steps]


def test_the_normal_release() -> None:
    found = strategies.blue_green(release(pool(BLUE), blue="1"))
    assert found == Plan(
        (
            StartInstance("web", "green", "2"),
            WaitHealthy("web", "green", "2", total=60.0),
            EditConfig("app_backend", SwitchTo((GREEN,)), app="web"),
            Prove("app_backend"),
            Watch("web", "green", "2", 3.0, "app_backend", old_slot="blue"),
            Drain("app_backend", 60.0),
            StopInstance("web", "blue"),
        ),
        commit=5,
    )


def test_the_first_release_stops_nothing() -> None:
    found = strategies.blue_green(release(pool("127.0.0.1:9")))
    assert kinds(found) == ["StartInstance", "WaitHealthy", "EditConfig", "Prove", "Watch", "Drain"]
    assert found.steps[0] == StartInstance("web", "blue", "2")


def test_what_an_earlier_release_left_in_the_slot_is_drained_and_stopped_first() -> None:
    found = strategies.blue_green(release(pool(BLUE), blue="2", green="1", version="3"))
    assert found.steps[:3] == (
        Drain("app_backend", 60.0, earlier=True),
        StopInstance("web", "green"),
        StartInstance("web", "green", "3"),
    )


def test_hooks_stand_where_they_are_named_for_and_on_failure_is_no_step() -> None:
    found = strategies.blue_green(release(pool(BLUE), of=app(hooks=HOOKS), blue="1"))
    assert kinds(found) == [
        "prepare",
        "StartInstance",
        "WaitHealthy",
        "before_switch",
        "EditConfig",
        "Prove",
        "after_switch",
        "Watch",
        "Drain",
        "StopInstance",
        "after_release",
    ]
    assert found.steps[0] == RunHook("web", "prepare", "green", "2", "blue", "1")
    assert kinds(found)[found.commit] == "Drain"


def test_no_watch_and_the_settings_of_health_and_drain() -> None:
    health = settings.Health(total=Seconds(7))
    found = strategies.blue_green(release(pool(BLUE), of=app(watch=Seconds(0), drain=Seconds(5), health=health), blue="1"))
    assert "Watch" not in kinds(found)
    assert found.steps[1] == WaitHealthy("web", "green", "2", total=7.0)
    assert found.steps[4] == Drain("app_backend", 5.0)
    assert found.commit == 4


def test_the_slots_take_turns() -> None:
    three = {"a": BLUE, "b": GREEN, "c": "127.0.0.1:3003"}
    for live, following in ((BLUE, "b"), (GREEN, "c"), ("127.0.0.1:3003", "a")):
        assert plan.target_slot(release(pool(live), of=app(slots=three))).name == following


def test_a_slot_that_is_down_in_the_pool_is_idle() -> None:
    where = pool(Server(BLUE, down=True), Server(GREEN))
    assert plan.old_slot(release(where)) == plan.slot_of("web", app(), "green")
    assert plan.target_slot(release(where)).name == "blue"


@pytest.mark.parametrize(
    ("given_release", "said"),
    [
        (release(pool(BLUE, GREEN)), "sends traffic to 2 slots of web (blue, green): blue-green replaces one"),
        (release(pool(BLUE), of=app(slots={"blue": BLUE})), "web has no idle slot: blue-green needs a second one"),
        (release(pool(BLUE), slot="blue"), "slot blue is live"),
        (release(pool(BLUE), slot="red"), "web has no slot 'red'; it has blue, green"),
        (
            release(pool(BLUE, GREEN), of=app(slots={"blue": BLUE, "green": GREEN, "c": "127.0.0.1:3003"}), slot="c"),
            "sends traffic to 2 slots",
        ),
    ],
)
def test_what_blue_green_cannot_do_is_refused(given_release: plan.Release, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        strategies.blue_green(given_release)
    assert said in caught.value.what


def test_a_named_slot_is_taken() -> None:
    three = app(slots={"a": BLUE, "b": GREEN, "c": "127.0.0.1:3003"})
    assert plan.target_slot(release(pool(BLUE), of=three, slot="c")).name == "c"


@given(
    live=st.sampled_from([(), (BLUE,), (GREEN,)]),
    running=st.fixed_dictionaries({}, optional={"blue": st.just("1"), "green": st.just("0")}),
    hooks=st.sampled_from([settings.Hooks(), HOOKS]),
    watch=st.sampled_from([0, 3]),
)
def test_every_plan_is_safe(live: tuple[str, ...], running: dict[str, str], hooks: settings.Hooks, watch: int) -> None:
    """The new one is healthy before the switch, proven after it, and the old one stops only behind the commit point."""
    given_release = release(pool("127.0.0.1:9", *live), of=app(hooks=hooks, watch=Seconds(watch)), **running)
    found = strategies.blue_green(given_release)
    names = kinds(found)
    assert names.index("StartInstance") < names.index("WaitHealthy") < names.index("EditConfig") < names.index("Prove")
    assert names.index("Prove") < found.commit == max(i for i, n in enumerate(names) if n == "Drain")
    old = plan.old_slot(given_release)
    new = plan.target_slot(given_release)
    stopped = {s.slot: i for i, s in enumerate(found.steps) if isinstance(s, StopInstance)}
    assert stopped.get(new.name, -1) < names.index("StartInstance")
    if old and old.name in running:
        assert stopped[old.name] > found.commit
    assert msgspec.convert(msgspec.to_builtins(found), Plan) == found


def test_a_change_of_one_pool() -> None:
    wish = SwitchTo((GREEN,))
    assert plan.change_pool("p", wish) == Plan((EditConfig("p", wish), Prove("p")), 2)
    gate = WaitHealthy(url="http://127.0.0.1:1/")
    whole = plan.change_pool("p", wish, gates=(gate,), drain=5, force=True)
    assert whole == Plan((gate, EditConfig("p", wish, force=True), Prove("p"), Drain("p", 5)), 3)


CHANGE = PoolChange("p", (ServerChange(Server(BLUE, params=("a=1",)), Server(GREEN)), ServerChange(None, Server(BLUE))))


@pytest.mark.parametrize(
    "intent", [SwitchTo((GREEN, BLUE)), SetState(BLUE, ServerState.DRAIN), SetWeights(((BLUE, 3),)), Exactly(CHANGE, True)]
)
def test_plans_survive_the_journal(intent: Any) -> None:
    every = Plan(
        (
            RunHook("web", "prepare", "green", "2", "blue", "1"),
            StartInstance("web", "green", "2"),
            StopInstance("web", "green"),
            WaitHealthy("web", "green", "2", total=1.5),
            EditConfig("p", intent, app="web", force=True),
            Prove("p"),
            Watch("web", "green", "2", 3.0),
            Drain("p", 60.0, earlier=True),
        ),
        5,
    )
    stored = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(every)))
    assert msgspec.convert(stored, Plan) == every


def test_plans_in_words() -> None:
    found = strategies.blue_green(release(pool(BLUE), of=app(hooks=HOOKS), blue="1", green="0"))
    assert found.describe() == [
        "wait for what earlier changes left behind to drain, at most 60 s",
        "stop web in slot green",
        "run the hook prepare of web",
        "start web 2 in slot green",
        "wait until web 2 in slot green is healthy",
        "run the hook before_switch of web",
        "change app_backend: all traffic to 127.0.0.1:3002",
        "prove that app_backend has switched",
        "run the hook after_switch of web",
        "watch web 2 for 3 s",
        "wait for the old side of app_backend to drain, at most 60 s",
        "stop web in slot blue",
        "run the hook after_release of web",
    ]
    words = [
        (SetState(BLUE, ServerState.DRAIN), "change p: 127.0.0.1:3001 becomes drain"),
        (SetWeights(((BLUE, 3), (GREEN, 1))), "change p: 127.0.0.1:3001 gets weight 3, 127.0.0.1:3002 gets weight 1"),
        (Exactly(CHANGE), "change p: take the earlier change back"),
    ]
    for intent, said in words:
        assert plan.change_pool("p", intent).describe()[0] == said  # type: ignore[arg-type]


def test_only_a_start_is_undone_by_a_step() -> None:
    assert undo_of(StartInstance("web", "green", "2")) == (StopInstance("web", "green"),)
    for step in (Prove("p"), StopInstance("web", "green"), RunHook("web", "prepare", "green", "2"), Drain("p", 1)):
        assert undo_of(step) == ()


# other strategies


THREE = {"a": BLUE, "b": GREEN, "c": "127.0.0.1:3003"}


def strategy(name: str, *live: str, slots: dict[str, str] | None = None, **running: str) -> Plan:
    return strategies.of(release(pool(*live), of=app(strategy=name, slots=slots or SLOTS), **running))


def shares(found: Plan) -> list[int]:
    return [s.intent.percent for s in found.steps if isinstance(s, EditConfig) and isinstance(s.intent, Share)]


def test_a_canary_grows_step_by_step_and_stops_the_old_one_last() -> None:
    found = strategy("canary", BLUE, blue="1")
    assert shares(found) == [5, 25, 50, 100]
    watched = [(s.share, s.seconds) for s in found.steps if isinstance(s, Watch)]
    assert watched == [(5, 60.0), (25, 60.0), (50, 60.0), (100, 3.0)]
    assert kinds(found)[found.commit :] == ["Drain", "StopInstance"]


def test_a_canary_without_an_old_side_is_a_plain_release() -> None:
    assert shares(strategy("canary", "127.0.0.1:9")) == []


def test_rolling_fills_idle_slots_first_and_replaces_one_after_the_other() -> None:
    found = strategy("rolling", BLUE, GREEN, slots=THREE, a="1", b="1")
    moved = [(type(s).__name__, s.slot) for s in found.steps if isinstance(s, StartInstance | StopInstance)]
    assert moved == [
        ("StartInstance", "c"),
        ("StopInstance", "a"),
        ("StartInstance", "a"),
        ("StopInstance", "b"),
        ("StartInstance", "b"),
    ]
    assert all(s.strict for s in found.steps if isinstance(s, Drain))
    assert all(undo_of(s) for s in found.steps if isinstance(s, StopInstance))
    assert found.commit == len(found.steps)


@given(
    names=st.lists(st.sampled_from(sorted(THREE)), min_size=1, unique=True),
    size=st.integers(1, 3),
    least=st.one_of(st.none(), st.integers(1, 3)),
)
def test_rolling_never_takes_out_too_many(names: list[str], size: int, least: int | None) -> None:
    """Going through the steps, there are never fewer in than allowed; or it is refused before."""
    of = app(strategy="rolling", slots=THREE, rolling=settings_release.Rolling(batch=size, min_ready=least))
    live = [THREE[name] for name in names]
    asked = release(pool(*live), of=of, **dict.fromkeys(names, "1"))
    wanted = max(1, 3 - size) if least is None else least
    if 3 - min(size, len(live)) < wanted:
        with pytest.raises(UsageError, match="at a time fewer than"):
            strategies.of(asked)
        return
    found = strategies.of(asked)
    ready = set(live)
    for step in found.steps:
        if isinstance(step, EditConfig) and isinstance(step.intent, SetStates):
            out = step.intent.state != ServerState.READY
            ready = ready - set(step.intent.servers) if out else ready | set(step.intent.servers)
            assert len(ready) >= min(wanted, len(live)) or not out
    assert ready == set(THREE.values())


def test_stop_start_closes_the_pool_where_it_can() -> None:
    asked = release(pool(BLUE), of=app(strategy="stop-start"), blue="1")
    assert kinds(strategies.of(asked)) == ["StopInstance", "StartInstance", "WaitHealthy", "Watch"]
    gated = msgspec.structs.replace(asked, gate=True)
    assert kinds(strategies.of(gated)) == [
        "EditConfig",
        "Prove",
        "StopInstance",
        "StartInstance",
        "WaitHealthy",
        "EditConfig",
        "Prove",
        "Watch",
    ]


def test_plans_together_are_ready_before_the_first_moves() -> None:
    one, two = (
        strategies.blue_green(msgspec.structs.replace(release(pool(BLUE), blue="1"), name=name)) for name in ("web", "api")
    )
    found = strategies.together([one, two])
    names = kinds(found)
    first = names.index("EditConfig")
    assert names[:first] == ["StartInstance", "WaitHealthy"] * 2
    assert names[first : found.commit] == ["EditConfig", "Prove", "Watch"] * 2
    assert names[found.commit :] == ["Drain", "StopInstance"] * 2


@given(st.permutations(["5", "25", "50", "100"]))
def test_changes_one_after_the_other_are_one(order: list[str]) -> None:
    """Shares that were set, whatever they were, are taken back by one inverse."""
    there = pool(Server(BLUE, weight=3))
    whole = intents.sharing(there, GREEN, BLUE)
    now, changes = there, []
    for percent in order[: order.index("100") + 1]:
        change = intents.changes(msgspec.structs.replace(whole, percent=int(percent)), now)
        changes.append(change)
        now = replace(now, servers=tuple(change.result(now.servers).elements()))
    back = reduce(PoolChange.then, changes).inverse()
    assert Counter(back.result(now.servers)) == Counter(there.servers)
