"""A world for the process driver: an app script, slots on ports from the kernel, and an end for all that was started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxyswitch import settings
from proxyswitch.drivers.base import Context
from proxyswitch.drivers.process.driver import Process
from proxyswitch.model import Endpoint, Instance, ProcessId, Slot
from proxyswitch.polling import until
from proxyswitch.system import proc, run, signals
from tests.ports import free_port

BELONGS = "PROXYSWITCH_TEST_WORLD"
PATIENCE = 30.0

# words: listen at PORT or SOCKET (and at each number), `deaf` to SIGTERM, with a `child` that is deaf and shares
# the socket, `titled`: as programs do that write their title over their environment, exit N at once
APP = """
import os, signal, socket, sys

words = sys.argv[1:]
numbers = [int(w) for w in words if w.isdecimal()]
print("I am", os.environ.get("APP_VERSION"), flush=True)
if "exit" in words:
    for n in range(9):
        print("last words", n, flush=True)
    sys.exit(numbers[0])
if "deaf" in words:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
ready = []
if "child" in words and os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("child", os.getpid(), flush=True)
    while True:
        signal.pause()
path = os.environ.get("SOCKET")
if path:
    if os.path.exists(path):
        os.unlink(path)
    ready.append(socket.socket(socket.AF_UNIX))
    ready[0].bind(path)
elif os.environ.get("PORT"):
    numbers.append(int(os.environ["PORT"]))
for number in numbers:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", number))
    ready.append(sock)
if "workers" in words:
    for sock in ready:
        sock.listen()
    for n in range(2):
        if os.fork() == 0:
            if "stubborn" in words:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            else:
                signal.signal(signal.SIGTERM, lambda *_: print("worker was signalled", flush=True))
            print("worker", os.getpid(), flush=True)
            parent = os.getppid()
            while os.getppid() == parent or "stubborn" in words:
                signal.sigtimedwait([signal.SIGUSR1], 0.02)
            while "drain" in words:
                for sock in ready:
                    sock.close()
                signal.pause()
            os._exit(0)
for sock in ready:
    sock.listen()
print("listening", flush=True)
while True:
    signal.pause()
"""


def leader(instance: Instance) -> ProcessId:
    """The process of an instance that runs on this machine."""
    assert instance.process
    return instance.process


def wait(look: Callable[[], object]) -> None:
    """Until it is so; a test that waits in vain fails."""
    assert until(lambda: look() or None, PATIENCE) is not None


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state" / "web"
        self.script = folder / "app.py"
        self.script.write_text(APP)
        self.ports = {"blue": free_port(), "green": free_port()}
        self.strangers: list[subprocess.Popen[bytes]] = []

    def argv(self, *words: object) -> list[str]:
        return [sys.executable, "-I", "-S", str(self.script), *map(str, words)]

    def driver(self, *words: object, slots: dict[str, str] | None = None, **process: Any) -> Process:
        """A new driver, as a new run of the program has it."""
        return Process(self.context(*words, slots=slots, **process))

    def context(self, *words: object, slots: dict[str, str] | None = None, **process: Any) -> Context:
        places = slots or {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        table = {"command": self.argv(*words), **process}
        tree = {"apps": {"web": {"pool": "web_backend", "slots": places, "process": table}}}
        return Context("web", settings.parse(_toml(tree), "proxyswitch.toml").app("web"), self.state)

    def slot(self, name: str = "blue") -> Slot:
        return Slot(name, Endpoint("127.0.0.1", self.ports[name]))

    def record(self, name: str = "blue") -> Path:
        return self.state / f"{name}.json"

    def edit_record(self, **values: object) -> None:
        self.record().write_text(json.dumps(json.loads(self.record().read_bytes()) | values))

    def stranger(self, *words: object, **env: str) -> ProcessId:
        """A process that the driver did not start; it is up when this returns."""
        with open(self.folder / f"stranger-{len(self.strangers)}", "xb") as log:
            child = subprocess.Popen(self.argv(*words), env=os.environ | env, stdout=log, stderr=log, start_new_session=True)
        self.strangers.append(child)
        wait(lambda: "listening" in Path(log.name).read_text())
        found = proc.identify(child.pid)
        assert found
        return found

    def stranger_says(self, number: int = 0) -> str:
        return (self.folder / f"stranger-{number}").read_text()

    def _left(self) -> list[ProcessId]:
        """What still runs: by its environment, or, for one that dropped that, by its working folder."""
        here = (proc.identify(pid) for pid in proc.pids() if proc.link(pid, "cwd") == str(self.folder))
        return [*proc.with_environment(BELONGS, str(self.folder)), *(p for p in here if p)]

    def close(self) -> None:
        for process in self._left():
            signals.send(process, signals.KILL)
        for child in self.strangers:
            child.wait()
        wait(lambda: not self._left())
        for pid in list(run._children):
            run.reap(pid)


def _toml(tree: dict[str, Any]) -> bytes:
    """TOML of nested tables, good enough for tests: JSON's values are TOML's."""

    def value(item: object) -> str:
        if isinstance(item, dict):
            return "{" + ", ".join(f"{json.dumps(k)} = {value(v)}" for k, v in item.items()) + "}"
        return json.dumps(item)

    return "\n".join(f"{key} = {value(item)}" for key, item in tree.items()).encode()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv(BELONGS, str(tmp_path))
    made = World(tmp_path)
    yield made
    made.close()
