"""SIGTERM and SIGINT at any moment of a switch: all of it is taken back, or all of it is done; further signals
change nothing in that."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxyswitch.model import ProcessId
from proxyswitch.system import proc, signals
from tests.chaos.haproxy_places import POOL, HaPlace, Kind, haproxy_place, other, settled
from tests.chaos.support import Point, everywhere, history, strike
from tests.chaos.test_deploy import Asking
from tests.chaos.test_haproxy_switch import KINDS, SEEN, points_of
from tests.e2e.support import LIMIT, eventually

pytestmark = pytest.mark.timeout(600)  # several minutes where the machine is busy

CODES = {"term": 128 + signal.SIGTERM, "term-on": 128 + signal.SIGINT}


@dataclass(frozen=True)
class Signal:
    """SIGTERM before a point (`term`), or SIGINT before it and every later one (`term-on`)."""

    point: Point
    mode: str


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory, haproxy_binary: str) -> dict[str, list[Point]]:
    return {name: points_of(tmp_path_factory.mktemp("survey") / "0", KINDS[name]) for name in ("state file", "reload")}


def interrupt(made: HaPlace, job: Signal) -> None:
    made.fresh()
    if made.kind.state_file:
        made.save_state()
    was = made.only()
    target, before = other(was), (made.files(), made.lasting())
    with Asking(made) as client:
        result = strike(made, job.point.number, job.mode, *made.switch(target))
    assert not client.problems, f"{len(client.problems)} of {client.asked}: {client.problems[0]}"
    if job.mode == "term-on" or job.point.kind.startswith("unlink "):  # it may have hit what clears away
        assert made.run("recover").code == 0
    assert "Traceback" not in result.err, result
    assert result.code == CODES[job.mode], result
    live = settled(made)
    entries = history(made)
    if live == target:
        assert [e.kind for e in entries] == ["switch"]
        assert "switched" in result.err, result
    else:
        assert entries == []
        assert made.kind.mode or (made.files(), made.lasting()) == before
        assert "everything is as before" in result.err, result


def sweep(jobs: list[Signal], kind: Kind, folder: Path) -> None:
    everywhere(jobs, lambda number: haproxy_place(folder / str(number), kind), interrupt)


def locked(points: list[Point]) -> list[Point]:
    """From the lock on: earlier there is nothing to take back, and a signal simply ends it."""
    return [p for p in points if p.number > next(p.number for p in points if p.kind.endswith("journal"))]


@pytest.mark.parametrize("mode", CODES)
def test_a_signal_at_effects_of_a_switch(points: dict[str, list[Point]], tmp_path: Path, mode: str) -> None:
    decisive = (*SEEN, "write journal", "write history", "Popen ")
    chosen = [p for p in locked(points["state file"]) if p.kind.startswith(decisive)][:: 1 if mode == "term" else 2]
    sweep([Signal(p, mode) for p in chosen], KINDS["state file"], tmp_path)


def test_a_signal_at_effects_of_a_reload(points: dict[str, list[Point]], tmp_path: Path) -> None:
    chosen = [p for p in locked(points["reload"]) if p.kind.startswith(SEEN)]
    sweep([Signal(p, "term") for p in chosen], KINDS["reload"], tmp_path)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", CODES)
@pytest.mark.parametrize("name", ["state file", "reload"])
def test_a_signal_at_every_effect(points: dict[str, list[Point]], tmp_path: Path, name: str, mode: str) -> None:
    sweep([Signal(p, mode) for p in locked(points[name])], KINDS[name], tmp_path)


# while HAProxy does not answer


@dataclass
class Relay:
    """A runtime socket in front of the real one: at one command the worker falls asleep, or the answer is held back."""

    path: Path
    real: Path
    worker: ProcessId
    command: str
    answered: bool  # hold the answer back, and let the worker be
    held: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client = listener.accept()[0]
            except OSError:  # closed: the test is over
                return
            threading.Thread(target=self.pass_on, args=(client,), daemon=True).start()

    def pass_on(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as real:
            data = client.recv(65536)
            hold = self.command.encode() in data and not self.held.is_set()
            if hold and not self.answered:
                signals.send(self.worker, signal.SIGSTOP)
            real.connect(str(self.real))
            real.sendall(data)
            if hold and not self.answered:
                self.held.set()
            answer = b"".join(iter(lambda: real.recv(65536), b""))
            if hold and self.answered:
                self.held.set()
                self.free.wait(LIMIT)
            with contextlib.suppress(OSError):  # who asked has gone
                client.sendall(answer)

    def go_on(self) -> None:
        self.free.set()
        signals.send(self.worker, signal.SIGCONT)


@contextmanager
def relay(made: HaPlace, command: str, *, answered: bool) -> Iterator[Relay]:
    worker = proc.identify(made.answering())
    assert worker
    found = Relay(made.folder / "slow.sock", made.admin, worker, command, answered)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(found.path))
        listener.listen()
        threading.Thread(target=found.serve, args=(listener,), daemon=True).start()
        try:
            yield found
        finally:
            found.go_on()
            listener.shutdown(socket.SHUT_RDWR)
    found.path.unlink()


def switching(made: HaPlace, slow: Relay) -> subprocess.Popen[str]:
    """A switch that waits for HAProxy."""
    words = ("--haproxy-socket", str(slow.path), "--haproxy-conf", str(made.conf))
    run = made.spawn("switch", POOL, "app-green", *words)
    assert eventually(slow.held.is_set)
    return run


def undoing(made: HaPlace) -> bool:
    return any(b"undoing" in path.read_bytes() for path in made.journals)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("answered", [False, True], ids=["before it is done", "before it answers"])
@pytest.mark.parametrize("command", ["app-green state ready", "app-blue state drain", "show servers state"])
def test_a_signal_while_it_waits_for_haproxy(
    tmp_path: Path, haproxy_binary: str, command: str, answered: bool, signum: signal.Signals
) -> None:
    with haproxy_place(tmp_path / "0", Kind()) as made, relay(made, command, answered=answered) as slow:
        with made.nothing_done():
            run = switching(made, slow)
            run.send_signal(signum)
            assert eventually(lambda: undoing(made) or run.poll() is not None)
            slow.go_on()
            _, said = run.communicate(timeout=LIMIT)
        assert run.returncode == 128 + signum, said
        assert history(made) == []
        assert settled(made) == "app-blue"


def test_a_second_signal_while_it_is_taken_back(tmp_path: Path, haproxy_binary: str) -> None:
    with haproxy_place(tmp_path / "0", Kind()) as made, relay(made, "app-blue state drain", answered=False) as slow:
        with made.nothing_done():
            run = switching(made, slow)
            run.send_signal(signal.SIGTERM)
            assert eventually(lambda: undoing(made))
            run.send_signal(signal.SIGTERM)
            slow.go_on()
            _, said = run.communicate(timeout=LIMIT)
        assert run.returncode == 128 + signal.SIGTERM, said
        assert history(made) == []
        assert settled(made) == "app-blue"


def test_a_signal_while_a_reload_is_proven(tmp_path: Path, haproxy_binary: str) -> None:
    with haproxy_place(tmp_path / "0", Kind()) as made, relay(made, "show info", answered=True) as slow:
        files = made.files()
        words = ("--haproxy-socket", str(slow.path), "--haproxy-conf", str(made.conf))
        with Asking(made) as client:
            run = made.spawn("switch", POOL, "app-green", "--mode", "reload", *words)
            assert eventually(slow.held.is_set)
            run.send_signal(signal.SIGTERM)
            _, said = run.communicate(timeout=LIMIT)
        assert run.returncode == 128 + signal.SIGTERM, said
        assert made.files() == files
        assert not client.problems
        assert history(made) == []
        assert settled(made) == "app-blue"
