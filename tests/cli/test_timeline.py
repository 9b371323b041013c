"""One release as a text of 80 columns."""

from __future__ import annotations

from typing import Any

import pytest

from proxyswitch.cli import timeline
from proxyswitch.model import Server
from proxyswitch.release import history
from proxyswitch.release.history import Entry
from proxyswitch.release.timings import Timed

BLUE, GREEN = Server("127.0.0.1:1", 9, name="app-blue"), Server("127.0.0.1:2", 1, name="app-green")
STEPS = (
    Timed("start web 2 in slot green", 0.0, 2.0),
    Timed("change app_backend: app-green gets 10 % of the traffic", 2.0, 0.5),
    Timed("watch web 2 with 10 % of the traffic for 5 s", 2.5, 5.5),
)


def release(**more: Any) -> Entry:
    known: dict[str, Any] = {"app": "web", "version": "2", "old_version": "1", "old_slot": "blue", "slot": "green"}
    known |= {"seconds": 8.0, "user": "ann", "command": "proxyswitch deploy web", "steps": STEPS}
    return Entry(id="r", kind=history.RELEASE, at=0.0, **(known | more))


def part(kind: str = history.SWITCH, step: int = 1, after: tuple[Server, ...] = (BLUE, GREEN), **more: Any) -> Entry:
    known: dict[str, Any] = {"pool": "app_backend", "proxy": "haproxy", "mode": "runtime", "release": "r"}
    return Entry(id="p", kind=kind, at=1.0, step=step, after=after, **(known | more))


def lines(told: Entry, *others: Entry) -> list[str]:
    return list(timeline.lines(told, [told, *others]))


def test_steps_lie_one_after_the_other() -> None:
    found = lines(release())
    assert found[0].startswith("web: release 1 → 2 (blue → green), 19")
    assert found[0].endswith(" by ann")
    assert found[1] == "  id r: proxyswitch deploy web"
    assert found[2] == "  +0.0 s  2.0 s  [####..........] start web 2 in slot green"
    assert found[3].startswith("  +2.0 s  0.5 s  [...#..........] change app_backend: ")
    assert found[5].startswith("  +2.5 s  5.5 s  [....##########] watch web 2 with 10 % of the traffic")
    assert found[-1] == "  done after 8.0 s"


def test_a_change_says_what_it_led_to() -> None:
    found = lines(release(), part(), part(after=(GREEN,), release="another"))
    below = next(number for number, line in enumerate(found) if line.strip().startswith("= "))
    assert "change app_backend" in found[below - 2]
    assert "watch web 2" in found[below + 2]
    assert " ".join(line.strip() for line in found[below : below + 2]) == "= app-blue 90 %, app-green 10 % (runtime, proven)"
    assert sum(line.strip().startswith("= ") for line in found) == 1


def test_slots_of_an_instant_pool_are_told_by_their_names() -> None:
    after = (Server("127.0.0.1:1", 75, slot="blue"), Server("127.0.0.1:2", 25, slot="green"))
    found = lines(release(), part(proxy="nginx", mode="instant", after=after))
    assert "= blue 75 %, green 25 % (instant, proven)" in " ".join(line.strip() for line in found)


def test_a_pool_that_nobody_serves_is_closed() -> None:
    assert "= closed (runtime, proven)" in "\n".join(lines(release(), part(after=())))


def test_a_failure_says_why_and_what_was_taken_back() -> None:
    steps = (*STEPS[:2], Timed("watch web 2", 2.5, 1.0, failed=True), Timed("take back: start web 2", 3.5, 0.1))
    told = release(steps=steps, result="failed", reason="it died\n  | log", gap=1.25, drain=3.0)
    found = lines(told, part(), part(history.ROLLBACK, step=-1, after=(BLUE,)))
    assert "failed: watch web 2" in "\n".join(found)
    assert "  taken back: app_backend: = app-blue 100 % (runtime, proven)" in found
    assert " ".join(line.strip() for line in found[-2:]) == (
        "failed after 8.0 s, nobody served for 1.2 s, the old side drained for 3.0 s: it died"
    )


def test_what_became_of_it_is_told() -> None:
    back = Entry(id="b", kind=history.ROLLBACK, at=9.0, user="bob", version="1", undoes="r other")
    failed = Entry(id="f", kind=history.ROLLBACK, at=9.0, user="eve", version="1", undoes="r", result="failed")
    confirmed = Entry(id="c", kind=history.CONFIRM, at=8.0, user="cid", version="2", release="r")
    text = "\n".join(lines(release(), confirmed, failed, back))
    assert "  confirmed by cid, " in text
    assert "  taken back by bob, " in text
    assert text.endswith("rollback to 1, id b")
    assert "eve" not in text


@pytest.mark.parametrize("count", [1, 5, 40])
def test_it_fits_80_columns(count: int) -> None:
    steps = tuple(Timed(f"step {n} " + "with many words " * 6, 500.0 * n, 499.0 if n % 3 else 0.0) for n in range(count))
    told = release(steps=steps, reason="x" * 200 + " and more words" * 20, version="v" * 90, seconds=500.0 * count)
    assert all(len(line) < 80 for line in lines(told, *(part(step=n) for n in range(count))))


def test_bars_stay_inside() -> None:
    for at, seconds in ((0.0, 0.0), (9.99, 0.01), (0.0, 10.0), (5.0, 5.0)):
        steps = (Timed("a", at, seconds), Timed("b", 10.0, 0.0))
        bars = [line[line.index("[") : line.index("]") + 1] for line in lines(release(steps=steps))[2:4]]
        assert [len(bar) for bar in bars] == [16, 16]
        assert all("#" in bar for bar in bars)


def test_a_release_without_steps_is_told_all_the_same() -> None:
    assert lines(release(steps=()))[-1] == "  done after 8.0 s"
