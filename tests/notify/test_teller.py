"""A release goes on while people are told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxyswitch.errors import Interrupted
from proxyswitch.notify import Event, Kind, Teller
from proxyswitch.settings import Notify, Seconds
from proxyswitch.settings_notify import KINDS
from proxyswitch.system import clock, signals
from tests.notify.receivers import web
from tests.system.helpers import eventually

ALL = [Event(kind=kind, app="web") for kind in KINDS]
LIMIT = 1.0


def entry(command: str, limit: float = 5.0) -> Notify:
    return Notify(events=list(KINDS), command=command, timeout=Seconds(limit))


def tell_all(teller: Teller) -> None:
    for event in ALL:
        teller.tell(event)


def test_everything_is_told_before_the_end(tmp_path: Path) -> None:
    lines: list[str] = []
    with web() as server, Teller([Notify(url=f"http://{server.host}", events=list(KINDS))], lines.append) as teller:
        tell_all(teller)
    assert lines == []
    assert sorted(posted.json["event"] for posted in server.posted) == sorted(KINDS)


def test_the_folder_is_that_of_the_settings(tmp_path: Path) -> None:
    with Teller([entry("touch here")], print, folder=str(tmp_path)) as teller:
        teller.tell(ALL[0])
    assert (tmp_path / "here").exists()


def test_the_release_goes_on_meanwhile(tmp_path: Path) -> None:
    """What is told waits for a file that comes only later: whoever waited for it would wait in vain."""
    lines: list[str] = []
    with Teller(
        [entry(f"while [ ! -e {tmp_path}/go ]; do sleep 0.01; done; touch {tmp_path}/told")], lines.append
    ) as teller:
        teller.tell(ALL[0])
        assert not (tmp_path / "told").exists()
        (tmp_path / "go").touch()
        assert eventually((tmp_path / "told").exists)
    assert lines == []


def test_those_who_hang_hold_the_end_only_once() -> None:
    lines: list[str] = []
    begun = clock.now()
    with Teller([entry("sleep 600", LIMIT), entry("exit 3")], lines.append) as teller:
        for event in ALL[:4]:
            teller.tell(event)
    assert clock.now() - begun < 2 * LIMIT
    assert lines == 4 * [
        "warning: notify 1 (command): it did not end within 1.0 s, and was ended",
        "warning: notify 2 (command): it ended with status 3",
    ]


def fail(teller: Teller) -> None:
    with teller:
        try:
            raise ZeroDivisionError
        finally:
            teller.tell(Event(kind=Kind.FAILED, app="web"))


def test_a_release_that_fails_is_told_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(Teller([entry(f"echo $PROXYSWITCH_EVENT > {tmp_path}/told")], print))
    assert (tmp_path / "told").read_text() == "failed\n"


def test_a_signal_while_it_waits_comes_afterwards(tmp_path: Path) -> None:
    """The first one's report, from within the wait, lets the second one send the signal."""
    lines: list[str] = []

    def report(line: str) -> None:
        lines.append(line)
        (tmp_path / "go").touch()

    script = f"while [ ! -e {tmp_path}/go ]; do sleep 0.01; done; kill -TERM {os.getpid()}; sleep 0.1; exit 4"
    entries = [Notify(events=["started"], command="exit 3"), Notify(events=["done"], command=script)]
    with pytest.raises(Interrupted), signals.interruptible(), Teller(entries, report) as teller:
        tell_all(teller)
    assert lines == [
        "warning: notify 1 (command): it ended with status 3",
        "warning: notify 2 (command): it ended with status 4",
    ]


def test_nobody_asked() -> None:
    with Teller([Notify(command="exit 1", events=["done"])], pytest.fail) as teller:
        teller.tell(Event(kind=Kind.STARTED, app="web"))
    assert teller.pending == []
