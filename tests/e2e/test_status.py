"""`status` and `history`: what runs, what is live, what was done."""

from __future__ import annotations

import json

from proxyswitch.system import signals
from tests.e2e.shop import Shop


def table(text: str) -> list[dict[str, str]]:
    """The rows of a tab-separated table, by column."""
    columns, *rows = (line.split("\t") for line in text.splitlines())
    return [dict(zip(columns, row, strict=True)) for row in rows]


def test_status_shows_each_slot(web: Shop) -> None:
    web.deploy("2")
    result = web.run("status")
    assert result.code == 0, result.err
    blue, green = table(result.out)
    process = web.runs("green")
    assert process
    assert (blue["app"], blue["slot"], blue["address"]) == ("web", "blue", f"127.0.0.1:{web.blue}")
    assert (blue["version"], blue["health"], blue["pid"], blue["since"]) == ("-", "-", "-", "-")
    assert "stopped" in blue["state"]
    assert (green["address"], green["state"]) == (f"127.0.0.1:{web.green}", "live")
    assert (green["version"], green["health"], green["pid"]) == ("2", "ok", str(process.pid))

    result = web.run("status", "web", "--json")
    (app,) = result.json["apps"]
    assert (app["app"], app["pool"], app["interrupted"], app["problem"]) == ("web", "app_backend", False, "")
    slots = {slot["slot"]: slot for slot in app["slots"]}
    assert slots["green"]["live"] is slots["green"]["running"] is slots["green"]["healthy"] is slots["green"]["ours"] is True
    assert slots["blue"]["live"] is slots["blue"]["running"] is False
    assert web.record("green")["log"] == slots["green"]["log"]


def test_a_live_slot_that_is_ill_is_exit_1(web: Shop) -> None:
    assert web.run("status").code == 0
    process = web.runs("blue")
    assert process
    signals.send(process, signals.KILL)
    result = web.run("status", "--json")
    assert result.code == 1
    (blue,) = (s for s in result.json["apps"][0]["slots"] if s["slot"] == "blue")
    assert (blue["live"], blue["healthy"]) == (True, False)
    text = web.run("status")
    assert text.code == 1
    assert (table(text.out)[0]["state"], table(text.out)[0]["health"]) == ("live, stopped", "connection refused")


def test_an_instance_that_was_started_by_hand_is_well(empty: Shop) -> None:
    empty.blue = empty.bench.instance("by hand")
    empty.bench.write(empty.blue)
    for adopt, running in ((True, True), (False, False)):
        empty.configure(adopt_port=adopt)
        result = empty.run("status", "--json")
        assert result.code == 0, result.out
        assert result.json["apps"][0]["slots"][0]["running"] is running


def test_an_app_that_is_not_there(web: Shop) -> None:
    result = web.run("status", "wep")
    assert result.code == 2
    assert "did you mean 'web'?" in result.err


def test_history_lists_what_was_done(web: Shop) -> None:
    assert web.run("history").out == ""
    web.deploy("2")
    web.deploy("3-crashes", code=3)
    assert web.run("rollback", "web").code == 0
    rows = [row for row in table(web.run("history", "web").out) if row["what"] != "switch"]
    assert [(row["what"], row["of"], row["change"].partition(":")[0], row["result"]) for row in rows] == [
        ("release", "web", "1 → 2", "done"),
        ("release", "web", "2 → 3-crashes", "failed"),
        ("rollback", "web", "2 → 1", "done"),
    ]
    assert len(web.run("history", "--json", "-n", "1").out.splitlines()) == 1
    entries = [json.loads(line) for line in web.run("history", "--json").out.splitlines()]
    (back,) = (e for e in entries if e["kind"] == "rollback")
    assert (back["version"], back["result"]) == ("1", "done")
    assert back["command"].startswith("proxyswitch rollback web")
    assert web.run("history", "other_pool").out == ""
    assert len(web.run("history", "app_backend", "--json").out.splitlines()) == len(web.history())
