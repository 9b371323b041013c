"""Several commands side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from proxyswitch.errors import Interrupted, UsageError
from proxyswitch.system import clock, proc, run, signals
from proxyswitch.system.run import Command, Result
from proxyswitch.system.together import run_all
from tests.system.helpers import eventually

LIMIT = 0.5


def sh(script: str, timeout: float = 60.0) -> Command:
    return Command(("/bin/sh", "-c", script), timeout)


def results(*commands: Command) -> list[Result]:
    found = run_all(commands)
    assert all(isinstance(one, Result) for one in found)
    return [one for one in found if isinstance(one, Result)]


def test_none() -> None:
    assert run_all([]) == []


def test_results_are_in_their_order_and_one_that_cannot_be_run_stops_no_other() -> None:
    first, second, third = run_all([sh("sleep 0.1; echo 1; exit 3"), Command(("/no/such",)), sh("echo 3")])
    assert isinstance(first, Result)
    assert isinstance(third, Result)
    assert (first.out, first.code, third.out) == ("1\n", 3, "3\n")
    assert isinstance(second, UsageError)


def test_they_run_at_the_same_time(tmp_path: Path) -> None:
    """Each waits for a file of the other: one after the other would never end."""
    one, two = tmp_path / "1", tmp_path / "2"
    wait = "touch {}; while [ ! -e {} ]; do sleep 0.01; done"
    assert [r.ok for r in results(sh(wait.format(one, two)), sh(wait.format(two, one)))] == [True, True]


def test_one_that_hangs_holds_neither_input_nor_output_of_the_others() -> None:
    data = b"x" * 300_000
    hangs, reads = results(sh("sleep 600", LIMIT), Command(("cat",), 60.0, input=data))
    assert hangs.timed_out
    assert (reads.ok, len(reads.out)) == (True, len(data))
    assert reads.seconds < hangs.seconds


def test_limits_do_not_add_up() -> None:
    begun = clock.now()
    ended = results(*[sh("sleep 600 & echo $!; sleep 600", 1.0) for _ in range(3)])
    assert clock.now() - begun < 2
    assert all(r.timed_out for r in ended)
    assert all(eventually(lambda r=r: proc.identify(int(r.out)) is None) for r in ended)  # type: ignore[misc]


def test_a_signal_kills_all(tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/{{0}}.new; mv {tmp_path}/{{0}}.new {tmp_path}/{{0}}; exec sleep 600"
    up = [tmp_path / name for name in ("1", "2")]

    def interrupt() -> None:
        if eventually(lambda: all(path.exists() for path in up)):
            os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=interrupt)
    sender.start()
    with pytest.raises(Interrupted), signals.interruptible():
        run_all([sh(script.format(path.name)) for path in up])
    sender.join()
    assert all(proc.identify(int(path.read_text())) is None for path in up)


def test_a_signal_while_one_starts_kills_that_too(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    popen = run._popen

    def interrupted(command: Command) -> subprocess.Popen[bytes]:
        child = popen(command)
        begun.append(child.pid)
        if len(begun) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return child

    monkeypatch.setattr(run, "_popen", interrupted)
    with pytest.raises(Interrupted), signals.interruptible():
        run_all([sh("sleep 600"), sh("sleep 600"), sh("sleep 600")])
    assert len(begun) == 2
    assert all(proc.identify(pid) is None for pid in begun)
