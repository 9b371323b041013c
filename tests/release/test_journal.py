"""The journal: what was written is read, a line that a crash cut off is not, and nonsense stops everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyswitch.errors import NeedsPerson
from proxyswitch.release.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "app-web.jsonl")


def test_records_come_back_in_order(journal: Journal) -> None:
    assert journal.records() == []
    journal.begin(id="1", plan={"steps": ["ä\n"]})
    journal.add("step", number=0, state="begin")
    first, second = journal.records()
    assert (first["kind"], first["id"], first["plan"]) == ("begin", "1", {"steps": ["ä\n"]})
    assert (second["kind"], second["number"], second["state"]) == ("step", 0, "begin")


def test_a_new_run_begins_a_new_file(journal: Journal) -> None:
    journal.begin(id="1")
    journal.begin(id="2")
    assert [r["id"] for r in journal.records()] == ["2"]


def test_the_end_removes_it_and_may_come_twice(journal: Journal) -> None:
    journal.begin(id="1")
    journal.end()
    assert not journal.path.exists()
    journal.end()
    assert journal.records() == []


def test_a_line_that_a_crash_cut_off_announces_nothing(journal: Journal) -> None:
    journal.begin(id="1")
    journal.add("step", number=0, state="begin")
    whole = journal.path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    for cut in range(1, len(last)):
        journal.path.write_bytes(whole[:-cut])
        assert [r["kind"] for r in journal.records()] == ["begin"], cut


def test_a_file_that_never_got_a_whole_line_is_as_none(journal: Journal) -> None:
    for data in (b"", b'{"kind":"begin","at'):
        journal.path.write_bytes(data)
        assert journal.records() == []


@pytest.mark.parametrize("data", [b"\0\0\0\0\n", b"hello\n", b'{"kind":"step","number":1}\n', b"\n"])
def test_nonsense_is_left_to_a_person(journal: Journal, data: bytes) -> None:
    journal.path.write_bytes(data)
    with pytest.raises(NeedsPerson, match="cannot be read") as caught:
        journal.records()
    assert caught.value.exit_code == 4
    assert journal.path.read_bytes() == data


def test_what_is_no_record_is_nonsense_too(journal: Journal) -> None:
    for data in (b"[1]\n", b"3\n", b'{"at":1}\n'):
        journal.path.write_bytes(data)
        with pytest.raises(NeedsPerson, match="cannot be read"):
            journal.records()
