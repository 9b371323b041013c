from __future__ import annotations

import gzip
import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyswitch.errors import UsageError
from proxyswitch.proxies import nginx_log, nginx_log_follow
from proxyswitch.proxies.nginx_log import Attempt
from proxyswitch.proxies.nginx_log_counts import ERROR, LONGEST, Counts, Times
from proxyswitch.proxies.nginx_log_follow import Follower

BLUE, GREEN = "127.0.0.1:3001", "127.0.0.1:3002"
SLOTS = {BLUE: "blue", GREEN: "green"}
NOW = 1700000000.123


def line(address: str, answers: str, seconds: str, status: str = "200") -> bytes:
    """A line as nginx writes it."""
    return (
        f'{{"time":{NOW},"status":{status},"seconds":0.005,"upstream_addr":"{address}",'
        f'"upstream_status":"{answers}","upstream_seconds":"{seconds}"}}'
    ).encode()


def test_one_attempt() -> None:
    assert nginx_log.attempts(line(BLUE, "200", "0.004")) == [Attempt(BLUE, 200, 0.004, NOW)]


def test_an_attempt_that_the_client_never_saw() -> None:
    found = nginx_log.attempts(line(f"{GREEN}, {BLUE}", "502, 200", "0.001, 0.004"))
    assert found == [Attempt(GREEN, 502, 0.001, NOW), Attempt(BLUE, 200, 0.004, NOW)]


@pytest.mark.parametrize(
    ("address", "answers", "seconds", "expected"),
    [
        ("", "", "", []),  # nginx answered by itself
        ("-", "-", "-", []),
        (GREEN, "-", "-", [(GREEN, 0, None)]),
        (f"{BLUE} : {GREEN}", "404 : 200", "0.001 : 0.002", [(BLUE, 404, 0.001), (GREEN, 200, 0.002)]),
        (f"{BLUE} : ", "404 : ", "0.001 : ", [(BLUE, 404, 0.001)]),  # the second answer came from the cache
        (
            "unix:/run/a.sock, [::1]:3001",
            "502, 200",
            "0.000, 0.001",
            [("unix:/run/a.sock", 502, 0), ("[::1]:3001", 200, 0.001)],
        ),
        ("app_backend_green", "502", "0.000", [("app_backend_green", 502, 0.0)]),  # none of its servers was live
        (f"{GREEN}, {BLUE}", "502", "0.001", [(GREEN, 502, 0.001), (BLUE, 0, None)]),
    ],
)
def test_how_nginx_joins(address: str, answers: str, seconds: str, expected: list[tuple[str, int, float | None]]) -> None:
    assert [a[:3] for a in nginx_log.attempts(line(address, answers, seconds))] == expected


@pytest.mark.parametrize("status", ["000", "009", "0"])
def test_a_status_that_is_no_number_of_json(status: str) -> None:
    request = nginx_log.read(line(BLUE, "200", "0.004", status))
    assert request
    assert request.status == int(status)


def test_a_client_that_left_is_no_failure_of_the_last_server() -> None:
    left = line(f"{GREEN}, {BLUE}", "502, -", "0.001, 0.004", "499")
    counts = nginx_log.count([left, line(BLUE, "-", "0.004", "502")], SLOTS)
    assert (counts["green"].failed, counts["green"].left) == (1, 0)
    assert (counts["blue"].attempts, counts["blue"].failed, counts["blue"].left) == (2, 1, 1)


BROKEN = [
    b"",
    b"\0\0\0",
    b"null",
    b"[1]",
    b'"text"',
    line(BLUE, "200", "0.004")[:-9],
    line(BLUE, "200", "0.004")[40:],
    line(BLUE, "200", "0.004").replace(b'"seconds"', b'"second"'),
    line(BLUE, "200", "0.004").replace(b'"upstream_status":"200"', b'"upstream_status":200'),
    line(BLUE, "ok", "0.004"),
    line(BLUE, "200", "nan"),
    line(BLUE, "200", "0.004", "1e999"),
    line(BLUE, "200", "0.004", "null"),
    b'127.0.0.1 - - [28/Jul/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "curl"',
    b"[" * 100000,
]


@pytest.mark.parametrize("bad", BROKEN)
def test_a_broken_line_is_counted_and_nothing_else(bad: bytes) -> None:
    assert nginx_log.read(bad) is None
    assert nginx_log.attempts(bad) == []
    found = nginx_log.tally([line(BLUE, "200", "0.004"), bad, line(GREEN, "200", "0.004")], SLOTS)
    assert (found.broken, found.slots["blue"].attempts, found.slots["green"].attempts) == (1, 1, 1)


@given(st.binary())
def test_no_line_raises(data: bytes) -> None:
    nginx_log.read(data)
    nginx_log.read(line(BLUE, "200", "0.004")[: len(data)] + data)


@given(st.text())
def test_no_value_raises(text: str) -> None:
    row = json.loads(line(BLUE, "200", "0.004"))
    for key in row:
        nginx_log.read(json.dumps({**row, key: text}).encode())


LINES = [
    line(BLUE, "200", "0.004"),
    line(f"{GREEN}, {BLUE}", "500, 200", "0.001, 0.006"),
    line(BLUE, "404", "0.002", "404"),
    line(f"{GREEN}, {BLUE}", "-, 503", "0.001, 0.006", "503"),
    line("127.0.0.1:9", "200", "0.001"),
    b"half",
]


def test_a_failing_canary_is_seen_although_clients_got_good_answers() -> None:
    found = nginx_log.tally(LINES, SLOTS)
    green, blue = found.slots["green"], found.slots["blue"]
    assert (green.attempts, green.failed, green.classes) == (2, 2, {"none": 1, "5xx": 1})
    assert (blue.attempts, blue.failed, blue.classes) == (4, 1, {"2xx": 2, "4xx": 1, "5xx": 1})
    assert (found.clients.attempts, found.clients.failed) == (5, 1)
    assert (found.elsewhere, found.broken) == (1, 1)
    assert nginx_log.count(LINES, SLOTS) == found.slots


def test_a_slot_that_nothing_was_sent_to_is_there() -> None:
    assert nginx_log.count([], SLOTS) == {"blue": Counts(), "green": Counts()}


def test_parts_add_up_and_go_through_json() -> None:
    whole = nginx_log.tally(LINES, SLOTS)
    for cut in range(len(LINES) + 1):
        one, other = nginx_log.tally(LINES[:cut], SLOTS), nginx_log.tally(LINES[cut:], SLOTS)
        assert one + other == whole
    assert nginx_log.Tally() + whole == whole
    assert nginx_log.Tally.from_data(json.loads(json.dumps(whole.as_data()))) == whole


def test_a_long_websocket_does_not_count_as_slow() -> None:
    counts = nginx_log.count([line(BLUE, "101", "3600.000", "101"), line(BLUE, "200", "0.010")], SLOTS)["blue"]
    assert (counts.attempts, counts.times.number, counts.times.mean) == (2, 1, 0.01)


# times


@given(st.lists(st.integers(0, LONGEST), min_size=1), st.floats(0, 1))
def test_a_quantile_is_as_exact_as_stated(milliseconds: list[int], share: float) -> None:
    times = Times.of(ms / 1000 for ms in milliseconds)
    rank = max(1, math.ceil(share * len(milliseconds)))
    expected = sorted(milliseconds)[rank - 1] / 1000
    found = times.quantile(share)
    assert found is not None
    assert abs(found - expected) <= expected * (ERROR + 1e-9)
    assert times.mean == pytest.approx(sum(milliseconds) / len(milliseconds) / 1000)


@given(st.lists(st.integers(0, 10**9)), st.lists(st.integers(0, 10**9)))
def test_histograms_add_up(one: list[int], other: list[int]) -> None:
    both = Times.of(ms / 1000 for ms in one) + Times.of(ms / 1000 for ms in other)
    assert both == Times.of(ms / 1000 for ms in (*one, *other))
    assert Times.from_data(json.loads(json.dumps(both.as_data()))) == both


def test_the_memory_is_bounded() -> None:
    every = Times.of(1.01**n / 1000 for n in range(3000))
    assert every.number == 3000
    assert len(every.buckets) <= 925


def test_without_times_there_are_no_quantiles() -> None:
    assert (Times().mean, Times().quantile(0.5)) == (None, None)


# following


class Log:
    """A log that a server writes to, and what a follower read of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "proxyswitch.log"
        self.number = 0

    def old(self, name: str) -> Path:
        return self.path.with_name(f"{self.path.name}{name}")

    def write(self, count: int = 1, to: Path | None = None) -> None:
        with (to or self.path).open("ab") as file:
            for _ in range(count):
                self.number += 1
                file.write(b"line %d\n" % self.number)

    def follow(self, start: bool = False) -> Follower:
        return Follower(str(self.path), {"live": "", "offsets": {}, "lost": 0} if start else None)

    def rename(self) -> None:
        """As logrotate does: .2 to .3, .1 to .2, the log itself to .1."""
        for number in range(5, 0, -1):
            if self.old(f".{number}").exists():
                self.old(f".{number}").rename(self.old(f".{number + 1}"))
        self.path.rename(self.old(".1"))

    def truncate(self) -> None:
        """As logrotate does with copytruncate."""
        for number in range(5, 0, -1):
            if self.old(f".{number}").exists():
                self.old(f".{number}").rename(self.old(f".{number + 1}"))
        shutil.copy(self.path, self.old(".1"))
        os.truncate(self.path, 0)


def numbers(lines: Iterator[bytes]) -> list[int]:
    return [int(text.removeprefix(b"line ")) for text in lines]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_only_what_comes_after_the_beginning(log: Log) -> None:
    log.write(3)
    follower = log.follow()
    assert numbers(follower.lines()) == []
    log.write(2)
    assert numbers(follower.lines()) == [4, 5]
    assert numbers(follower.lines()) == []
    assert (follower.lost, follower.problem) == (0, None)


def test_a_line_without_its_newline_is_kept_back(log: Log) -> None:
    follower = log.follow()
    for part, expected in [(b"li", []), (b"ne 1", []), (b"\nline 2\nli", [1, 2]), (b"ne 3", []), (b"\n", [3])]:
        with log.path.open("ab") as file:
            file.write(part)
        assert numbers(follower.lines()) == expected


def test_a_line_that_was_begun_before_is_new(log: Log) -> None:
    log.path.write_bytes(b"line 1\nline")
    follower = log.follow()
    with log.path.open("ab") as file:
        file.write(b" 2\n")
    assert numbers(follower.lines()) == [2]


def test_carriage_returns_end_no_line(log: Log) -> None:
    follower = log.follow()
    log.path.write_bytes(b"a\rb\r\nc\n")
    assert list(follower.lines()) == [b"a\rb\r", b"c"]


def test_renamed(log: Log) -> None:
    log.write(2)
    follower = log.follow()
    log.write(2)
    log.rename()
    log.write(1, log.old(".1"))  # the server has not opened the new file yet
    assert numbers(follower.lines()) == [3, 4, 5]
    log.write(1, log.old(".1"))
    log.write(2)
    assert numbers(follower.lines()) == [6, 7, 8]
    log.write(1, log.old(".1"))  # a worker that was busy writes out its buffer late
    log.write(1)
    assert numbers(follower.lines()) == [9, 10]
    assert follower.lost == 0


def test_truncated_behind_a_copy(log: Log) -> None:
    log.write(2)
    follower = log.follow()
    log.write(2)
    log.truncate()
    log.write(1)
    assert numbers(follower.lines()) == [3, 4, 5]
    log.write(8)  # longer than before
    log.truncate()
    log.write(20)  # longer than the offset again
    assert numbers(follower.lines()) == list(range(6, 34))
    assert follower.lost == 0


def test_truncated_behind_a_copy_when_nothing_was_read_of_it(log: Log) -> None:
    follower = log.follow()
    log.write(2)
    log.truncate()
    assert numbers(follower.lines()) == [1, 2]
    log.write(2)
    assert numbers(follower.lines()) == [3, 4]


@pytest.mark.parametrize("how", ["rename", "truncate"])
def test_several_rotations_in_between(log: Log, how: str) -> None:
    log.write(2)
    log.rename()
    log.write(2)
    follower = log.follow()
    for _ in range(3):
        log.write(2)
        getattr(log, how)()
    log.write(2)
    assert numbers(follower.lines()) == list(range(5, 13))
    assert numbers(follower.lines()) == []
    assert follower.lost == 0


def test_names_with_a_date(log: Log) -> None:
    follower = log.follow()
    for day in ("20260101", "20260102"):
        log.write(2)
        log.path.rename(log.old(f"-{day}"))
    log.write(1)
    assert numbers(follower.lines()) == [1, 2, 3, 4, 5]


def test_the_log_is_missing_for_a_while(log: Log) -> None:
    follower = log.follow()
    assert numbers(follower.lines()) == []
    log.write(2)
    assert numbers(follower.lines()) == [1, 2]
    away = log.path.with_name("away")
    log.path.rename(away)
    assert numbers(follower.lines()) == []
    away.rename(log.path)
    log.write(1)
    assert numbers(follower.lines()) == [3]
    assert follower.lost == 0


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    log = Log(tmp_path / "later")
    follower = log.follow()
    assert numbers(follower.lines()) == []
    log.path.parent.mkdir()
    log.write(1)
    assert numbers(follower.lines()) == [1]


@pytest.mark.parametrize("compressed", [True, False])
def test_what_was_compressed_or_removed_at_once_is_lost_and_said(log: Log, compressed: bool) -> None:
    follower = log.follow()
    log.write(2)
    assert numbers(follower.lines()) == [1, 2]
    log.write(2)
    log.rename()
    if compressed:
        log.old(".1.gz").write_bytes(gzip.compress(log.old(".1").read_bytes()))
    log.old(".1").unlink()
    log.path.touch()  # often gets the inode that has just become free
    assert numbers(follower.lines()) == []
    log.write(6)
    assert numbers(follower.lines()) == [5, 6, 7, 8, 9, 10]
    assert numbers(follower.lines()) == []
    assert follower.lost == 1
    assert "delaycompress" in str(follower.problem)


def test_compressed_later_is_not_lost(log: Log) -> None:
    follower = log.follow()
    log.write(2)
    log.rename()
    log.write(2)
    assert numbers(follower.lines()) == [1, 2, 3, 4]
    log.old(".1.gz").write_bytes(gzip.compress(log.old(".1").read_bytes()))
    log.old(".1").unlink()
    log.write(1)
    assert numbers(follower.lines()) == [5]
    assert follower.lost == 0


def test_emptied_without_a_copy_is_lost(log: Log) -> None:
    follower = log.follow()
    log.write(2)
    assert numbers(follower.lines()) == [1, 2]
    os.truncate(log.path, 0)
    log.write(5)
    assert numbers(follower.lines()) == [3, 4, 5, 6, 7]
    assert follower.lost == 1


def test_a_copy_that_somebody_made_is_not_counted(log: Log) -> None:
    follower = log.follow()
    log.write(2)
    shutil.copy(log.path, log.old(".bak"))
    log.write(2)
    assert numbers(follower.lines()) == [1, 2, 3, 4]
    log.rename()
    shutil.copy(log.old(".1"), log.old(".1.bak"))
    log.write(2)
    assert numbers(follower.lines()) == [5, 6]


def test_a_short_copy_of_a_rotated_file_at_the_beginning(log: Log) -> None:
    log.write(4)
    log.rename()
    log.old(".1.bak").write_bytes(log.old(".1").read_bytes()[:14])
    follower = log.follow()
    log.write(1)
    assert numbers(follower.lines()) == [5]


def test_a_copy_that_is_still_short(log: Log) -> None:
    follower = log.follow()
    log.write(4)
    assert numbers(follower.lines()) == [1, 2, 3, 4]
    log.old(".1").write_bytes(log.path.read_bytes()[:14])
    assert numbers(follower.lines()) == []
    os.truncate(log.path, 0)
    log.write(1)
    assert numbers(follower.lines()) == [5]
    assert follower.lost == 0


def test_truncated_between_looking_and_reading(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = log.follow()
    log.write(2)
    assert numbers(follower.lines()) == [1, 2]
    log.write(2)
    rest = follower._rest
    truncated = False

    def late(file: nginx_log_follow._File) -> Iterator[bytes]:
        nonlocal truncated
        if not truncated:
            truncated = True
            log.truncate()
            log.write(9)
        return rest(file)

    monkeypatch.setattr(follower, "_rest", late)
    assert numbers(follower.lines()) == []
    assert sorted(numbers(follower.lines())) == list(range(3, 14))
    assert follower.lost == 0


def test_a_run_that_was_killed_continues_behind_the_last_line_it_took(log: Log) -> None:
    log.write(1)
    follower = log.follow()
    log.write(4)
    lines = follower.lines()
    assert numbers(iter([next(lines), next(lines)])) == [2, 3]
    position = json.dumps(follower.position)
    log.rename()
    log.write(2)
    log.rename()
    log.write(2)
    again = Follower(str(log.path), json.loads(position))
    assert numbers(again.lines()) == [4, 5, 6, 7, 8, 9]
    assert again.lost == 0


def test_what_is_lost_while_a_killed_run_was_still_reading_is_said(log: Log) -> None:
    log.write(1)
    follower = log.follow()
    log.write(2)
    log.rename()
    log.write(1)
    assert next(follower.lines()) == b"line 2"
    log.old(".1").unlink()
    again = Follower(str(log.path), json.loads(json.dumps(follower.position)))
    assert numbers(again.lines()) == [4]
    assert numbers(again.lines()) == []
    assert again.lost == 1


def test_the_lost_are_remembered_over_a_restart(log: Log) -> None:
    log.write(1)
    follower = log.follow()
    log.path.unlink()
    log.write(1)
    assert numbers(follower.lines()) == [2]
    assert Follower(str(log.path), json.loads(json.dumps(follower.position))).lost == 1


def test_a_log_larger_than_a_block(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nginx_log_follow, "BLOCK", 64)
    follower = log.follow()
    log.write(500)
    assert numbers(follower.lines()) == list(range(1, 501))


def test_a_line_without_an_end_does_not_stop_it(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nginx_log_follow, "BLOCK", 64)
    follower = log.follow()
    log.write(1)
    with log.path.open("ab") as file:
        file.write(b"x" * 200 + b"\n")
    log.write(1)
    lines = list(follower.lines())
    assert (lines[0], lines[-1]) == (b"line 1", b"line 2")


def test_a_first_line_longer_than_what_tells_a_file(log: Log) -> None:
    follower = log.follow()
    log.path.write_bytes(b"x" * (nginx_log_follow.HEAD - 1))
    assert list(follower.lines()) == []
    with log.path.open("ab") as file:
        file.write(b"yy")
    assert list(follower.lines()) == []
    with log.path.open("ab") as file:
        file.write(b"\nz\n")
    assert len(list(follower.lines())) == 2


def test_what_is_remembered_is_bounded(log: Log) -> None:
    follower = log.follow()
    for _ in range(nginx_log_follow.KEPT + 20):
        log.write(1)
        assert len(numbers(follower.lines())) == 1
        log.path.unlink()
    log.write(1)
    assert len(numbers(follower.lines())) == 1
    assert len(follower.position["offsets"]) <= nginx_log_follow.KEPT + 1


def test_other_files_beside_it_are_left_alone(log: Log) -> None:
    follower = log.follow()
    os.mkfifo(log.old(".fifo"))
    log.old(".d").mkdir()
    log.write(1, log.path.with_name("proxyswitch.logs"))
    log.write(1, log.path.with_name(".proxyswitch.log.1"))
    log.write(1)
    assert numbers(follower.lines()) == [3]


def test_a_log_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "x").touch()
    with pytest.raises(UsageError, match="cannot read: Not a directory"):
        Follower(str(tmp_path / "log" / "x" / "proxyswitch.log"))
