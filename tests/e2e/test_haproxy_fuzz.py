"""A runtime socket that goes wrong at any one exchange of a command: nothing hangs, and nothing is left half done."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from proxyswitch.cli.app import command
from proxyswitch.proxies import haproxy_socket
from tests.e2e.haproxy_fuzz import FAULTS, Unreliable
from tests.e2e.haproxy_pairs import pair, states
from tests.e2e.haproxy_support import CONF, WITH_STATE, HaproxyBench

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

BEFORE, AFTER = {"app-blue": "ready", "app-green": "maint"}, {"app-blue": "drain", "app-green": "ready"}


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Shell:
    """Runs commands in this process, with short time-outs: a process for each run would take most of the time."""

    def __init__(self, place: HaproxyBench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.place, self.capsys, self.patch = place, capsys, monkeypatch
        self.conf = place.conf.read_bytes()
        self.front = place.folder / "front.sock"

    def run(self, *words: str, socket: Path | None = None) -> Ended:
        """The command, through the given socket."""
        self.capsys.readouterr()
        argv = [*words, "--haproxy-conf", str(self.place.conf), "--haproxy-socket", str(socket or self.place.admin)]
        self.patch.setattr("sys.argv", ["proxyswitch", *argv])
        try:
            code = command().main(argv, "proxyswitch")
        except SystemExit as end:
            code = end.code
        return Ended(int(code or 0), *self.capsys.readouterr())

    def switch(self, fault: str, at: int, *, lasting: bool = False) -> tuple[Ended, list[str]]:
        """A switch through a socket with a fault, and the commands that it was sent."""
        with Unreliable(self.front, self.place.admin, fault, at, lasting=lasting) as front:
            ended = self.run("switch", "app_backend", "app-green", "--json", socket=self.front)
        return ended, front.commands

    def recover(self) -> Ended:
        """`recover`, by the same socket, which is well again."""
        with Unreliable(self.front, self.place.admin, "", -1):
            return self.run("recover", socket=self.front)

    def count(self) -> int:
        """How many exchanges a switch takes when all goes well. Afterwards all is as before."""
        ended, commands = self.switch("", -1)
        assert (ended.code, whole(self.place, self.conf)) == (0, "after"), ended
        self.back()
        return len(commands)

    def back(self) -> None:
        """As it was in the beginning: in the files and at work."""
        if self.place.conf.read_bytes() != self.conf:
            self.place.conf.write_bytes(self.conf)
        self.place.tell("set server app_backend/app-blue state ready")
        self.place.tell("set server app_backend/app-green state maint")
        if self.place.state_file.exists():
            self.place.save_state()


@pytest.fixture(params=[CONF, WITH_STATE], ids=["no state file", "a state file"])
def shell(
    request: pytest.FixtureRequest,
    ha_place: HaproxyBench,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Shell:
    """One process of HAProxy, so that there is no other way to ask it than its socket."""
    monkeypatch.setenv("PROXYSWITCH_STATE", str(ha_place.state))
    monkeypatch.chdir(ha_place.folder)
    monkeypatch.setattr(haproxy_socket.Runtime.__init__, "__kwdefaults__", {"timeout": 0.25, "prefix": ""})
    return Shell(pair(ha_place, conf=request.param, master=False), capsys, monkeypatch)


def in_file(place: HaproxyBench) -> dict[str, bool]:
    """Which servers the file has out."""
    lines = [line.split() for line in place.conf.read_text().splitlines() if line.strip().startswith("server ")]
    return {words[1]: "disabled" in words for words in lines}


def whole(place: HaproxyBench, before: bytes) -> str:
    """`before` or `after`: file, process and journal agree on it; anything else fails the test."""
    runs, out = states(place), in_file(place)
    if place.conf.read_bytes() == before:
        assert runs == BEFORE, runs
        return "before"
    assert out == {"app-blue": True, "app-green": False}
    assert runs == AFTER
    return "after"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_exchange_of_a_switch(shell: Shell, fault: str) -> None:
    seen = []
    for at in range(shell.count()):
        ended, commands = shell.switch(fault, at)
        seen.append(judge(shell, ended, f"{fault} at {at} ({commands[at]}): {ended}"))
        shell.back()
    assert len(seen) > 5
    assert "before" in seen


@pytest.mark.parametrize("fault", ["closed before", "closed after", "garbage"])
def test_a_socket_that_stays_broken_from_some_exchange_on(shell: Shell, fault: str) -> None:
    """Then it cannot be taken back either: that is said, and `recover` does it when the socket is well again."""
    seen = set()
    for at in range(shell.count()):
        ended, commands = shell.switch(fault, at, lasting=True)
        seen.add(judge(shell, ended, f"{fault} from {at} on ({commands[at]}): {ended}"))
        shell.back()
    assert seen >= {"before", "recovered"}


def judge(shell: Shell, ended: Ended, context: str) -> str:
    """All as before with an error, or done; else exit 4, which says what is where, and which `recover` sets right."""
    place, before = shell.place, shell.conf
    assert "Traceback" not in ended.err, context
    assert ended.code in (0, 2, 3, 4), context
    if ended.code == 4:
        answer = json.loads(ended.out)
        assert answer["state"], context
        assert "proxyswitch recover" in answer["next"], context
        recovered = shell.recover()
        assert recovered.code == 0, f"{context}\n{recovered}"
        assert whole(place, before) == "before", context
    else:
        at = whole(place, before)
        assert at == ("after" if ended.code == 0 else "before"), context
        assert not [path for path in place.journals if path.stat().st_size], context
    assert not [name for name in os.listdir(place.folder) if name.startswith(".")], context
    return "recovered" if ended.code == 4 else whole(place, before)
