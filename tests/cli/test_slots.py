"""What `status` says of an app, as lines for a terminal."""

from __future__ import annotations

from typing import Any

from proxyswitch.cli import slots


def slot(name: str, share: float | None, **more: Any) -> dict[str, Any]:
    known = {"slot": name, "address": "127.0.0.1:1", "live": True, "running": True, "version": "1", "pid": 42, "since": 9e8}
    return {**known, "healthy": True, "reason": "status 200", "share": share, **more}


def app(*places: dict[str, Any], **more: Any) -> dict[str, Any]:
    known = {"app": "web", "pool": "app_backend", "proxy": "nginx", "driver": "process", "strategy": "canary"}
    return {**known, "interrupted": False, "release": None, "unconfirmed": None, "slots": list(places), **more}


IDLE = {"live": False, "running": False, "version": "", "pid": None, "since": None, "healthy": None, "reason": ""}
RELEASE = {
    "kind": "release",
    "from": {"slot": "blue", "version": "1"},
    "to": {"slot": "green", "version": "2"},
    "begun": 0.0,
    "user": "ann",
    "step": "watch web 2 with 20 % of the traffic for 60 s",
    "number": 5,
    "steps": 9,
    "runs": True,
    "decision": None,
}


def text(told: dict[str, Any]) -> str:
    """As one text, folded lines put together again."""
    found = list(slots.lines(told))
    assert all(len(line) < 80 for line in found), found
    return " ".join(line.strip() for line in found)


def test_shares_are_bars() -> None:
    found = list(slots.lines(app(slot("blue", 60), slot("green", 40, version="2"))))
    assert found[0] == "web: canary, behind app_backend (nginx), run by process"
    assert found[1] == "  blue   live  [############........]    60 %  1"
    assert found[2].startswith("         127.0.0.1:1, pid 42, since 1998-07-")
    assert found[2].endswith(": ok")
    assert found[3] == "  green  live  [########............]    40 %  2"


def test_an_idle_slot_says_no_health() -> None:
    found = list(slots.lines(app(slot("blue", 100), slot("green", 0, **IDLE))))
    assert found[3] == "  green  stopped  [....................]     0 %  -"
    assert found[4] == "         127.0.0.1:1"


def test_an_ill_slot_says_why() -> None:
    ill = slot("blue", 100, running=False, pid=None, healthy=False, reason="connection refused " + "x" * 90)
    assert "live, stopped" in text(app(ill))
    assert ": connection refused" in text(app(ill))


def test_without_a_pool_there_are_no_shares() -> None:
    found = text(app(slot("main", None), pool="", proxy="", strategy=""))
    assert found.startswith("web: behind no pool, run by process main  live  1 ")
    assert "#" not in found
    assert "%" not in found


def test_a_release_under_way_and_what_a_person_may_decide() -> None:
    told = app(slot("blue", 80), release={**RELEASE, "decision": {"share": 20, "manual": True, "until": 60.0}})
    found = text(told)
    assert "under way: release 1 → 2, begun 19" in found
    assert "by ann, at step 5 of 9: watch web 2 with 20 % of the traffic for 60 s" in found
    assert "to go on now: proxyswitch promote web; to go back: proxyswitch abort web; without either, it is taken" in found
    told["release"]["decision"]["manual"] = False
    assert "without either, it goes on at " in text(told)
    told["release"]["decision"] = None
    assert "promote" not in text(told)


def test_what_an_interrupted_release_left() -> None:
    found = text(app(slot("blue", 100), release={**RELEASE, "runs": False}, interrupted=True))
    assert "web: a release was interrupted: release 1 → 2, begun 19" in found
    assert "by ann, at step 5 of 9: watch web 2" in found
    assert "put it right with: proxyswitch recover" in found
    assert "under way" not in found


def test_what_is_not_confirmed() -> None:
    found = text(app(slot("blue", 100), unconfirmed={"versions": ["1", "2"], "due": None}))
    assert "not confirmed: 1, 2; run its contract migrations with: proxyswitch confirm web" in found
    assert "--due" not in found
    assert "`confirm --due` does it from 19" in text(app(unconfirmed={"versions": ["1"], "due": 60.0}))


def test_a_table_has_a_row_a_slot() -> None:
    rows = slots.rows(app(slot("blue", 66.7), slot("green", None, **IDLE)))
    assert [row[:3] + row[7:] for row in rows] == [
        ["web", "blue", "live", "ok", "66.7 %"],
        ["web", "green", "stopped", "-", "-"],
    ]
    assert all(len(row) == len(slots.COLUMNS) for row in rows)
