"""History: appended, never lost, and read as a stack of what can still be taken back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxyswitch.model import PoolChange, Server, ServerChange
from proxyswitch.release import history
from proxyswitch.release.history import Entry, History
from tests.release.values import BLUE, GREEN


@pytest.fixture
def past(tmp_path: Path) -> History:
    return History(tmp_path / "history.jsonl")


def entry(name: str, kind: str = history.SWITCH, **more: str) -> Entry:
    return Entry(id=name, kind=kind, at=1.0, **more)  # type: ignore[arg-type]


def add(past: History, *entries: Entry) -> None:
    for one in entries:
        past.add(one)


def newest(past: History) -> str:
    found = past.last(lambda _: True)
    return found.id if found else ""


def test_entries_come_back_whole_and_in_order(past: History) -> None:
    change = PoolChange("p", (ServerChange(Server(BLUE, params=("a",)), None), ServerChange(None, Server(GREEN, down=True))))
    first = Entry(id="1", kind="switch", at=1.5, change=change, after=(Server(GREEN, down=True),), reason="ä\n")
    assert past.entries() == []
    add(past, first, entry("2"))
    assert past.entries() == [first, entry("2")]
    assert past.path.stat().st_mode & 0o777 == 0o600


def test_an_entry_says_who_and_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "alice")
    monkeypatch.setattr("sys.argv", ["/usr/bin/proxyswitch", "switch", "p", "a b"])
    found = history.entry(history.SWITCH, id=history.new_id(), pool="p")
    assert (found.user, found.command, found.pool, found.result) == ("alice", "proxyswitch switch p 'a b'", "p", "done")
    assert found.at > 1e9


def test_what_cannot_be_read_is_passed_over(past: History) -> None:
    add(past, entry("1"))
    with open(past.path, "ab") as file:
        file.write(b"\0\0\0\nhello\n[]\n{}\n" + json.dumps({"id": "x", "kind": 3, "at": 1}).encode() + b"\n")
    add(past, entry("2"))
    with open(past.path, "ab") as file:
        file.write(b'{"id":"3","kind":"swi')
    assert [e.id for e in past.entries()] == ["1", "2"]


def test_a_line_that_was_cut_off_does_not_swallow_the_next(past: History) -> None:
    add(past, entry("1"))
    with open(past.path, "ab") as file:
        file.write(b'{"id":"2","kind":"swi')
    add(past, entry("3"))
    assert [e.id for e in past.entries()] == ["1", "3"]


def test_entries_of_a_later_version_with_more_fields_are_read(past: History) -> None:
    past.path.write_text('{"id":"1","kind":"switch","at":1.0,"colour":"blue"}\n')
    assert [e.id for e in past.entries()] == ["1"]


def test_recovery_adds_an_entry_once(past: History) -> None:
    add(past, entry("1"))
    past.add_once(entry("1"))
    past.add_once(entry("2"))
    assert [e.id for e in past.entries()] == ["1", "2"]


def test_the_newest_that_was_done_is_the_one_to_take_back(past: History) -> None:
    assert newest(past) == ""
    add(past, entry("1"), entry("2"), entry("3", result="failed"))
    assert newest(past) == "2"


def test_taking_back_goes_further_back_each_time(past: History) -> None:
    add(past, entry("1"), entry("2"), entry("3"))
    for undone, following in (("3", "2"), ("2", "1"), ("1", "")):
        add(past, entry(f"back-{undone}", history.ROLLBACK, undoes=undone))
        assert newest(past) == following


def test_a_taking_back_that_failed_took_nothing_back(past: History) -> None:
    add(past, entry("1"), entry("back", history.ROLLBACK, undoes="1", result="failed"))
    assert newest(past) == "1"


def test_a_new_change_after_a_taking_back_is_the_newest(past: History) -> None:
    add(past, entry("1"), entry("2"), entry("back", history.ROLLBACK, undoes="2"), entry("4"))
    assert newest(past) == "4"
    add(past, entry("back-4", history.ROLLBACK, undoes="4"))
    assert newest(past) == "1"


def test_only_what_fits_is_looked_at(past: History) -> None:
    add(past, entry("1", pool="a"), entry("2", pool="b"))
    found = past.last(lambda e: e.pool == "a")
    assert found
    assert found.id == "1"


def test_names_of_runs_are_their_own() -> None:
    assert len({history.new_id() for _ in range(3)}) >= 1
    assert all(part for part in history.new_id().split("-"))
