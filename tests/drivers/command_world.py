"""Scripts as people have them: one with nohup and a pid file, which starts and stops one app a slot."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proxyswitch import settings
from proxyswitch.drivers.base import Context
from proxyswitch.drivers.command.driver import Command
from proxyswitch.model import Endpoint, ProcessId, Slot
from proxyswitch.system import proc, run, signals
from tests.drivers.gunicorn_world import toml, wait
from tests.ports import free_port

APP = Path(__file__).parents[1] / "runners" / "apps" / "server.py"
# what the app is told: VERSION from the file that names the version that is to run
SCRIPT = """\
#!/bin/sh
# usage: web.sh start|stop|status|reload|logs
cd "$(dirname "$0")"
pid=web-$APP_SLOT.pid
case "$1" in
start)
    if [ -e fail-$APP_VERSION ]; then echo "no such version: $APP_VERSION"; exit 1; fi
    echo "$APP_VERSION" > running-$APP_SLOT
    VERSION=$APP_VERSION SLOT=$APP_SLOT BROKEN=$(cat broken-$APP_VERSION 2>/dev/null) nohup {python} {app} &
    echo $! > $pid ;;
stop)
    kill "$(cat $pid)"
    while kill -0 "$(cat $pid)" 2>/dev/null; do sleep 0.05; done ;;
status)
    kill -0 "$(cat $pid 2>/dev/null)" 2>/dev/null || exit 3
    cat running-$APP_SLOT ;;
reload)
    if [ -e hang-$APP_VERSION ]; then touch hanging; sleep 300; fi
    "$0" stop && "$0" start ;;
logs)
    echo "the last $PROXYSWITCH_LINES lines" ;;
esac
"""


@dataclass
class Scripts:
    """A folder with the script, and the state."""

    folder: Path
    ports: dict[str, int] = field(default_factory=lambda: {"blue": free_port(), "green": free_port()})

    def __post_init__(self) -> None:
        self.script.write_text(SCRIPT.replace("{python}", sys.executable).replace("{app}", str(APP)))
        self.script.chmod(0o755)

    @property
    def script(self) -> Path:
        return self.folder / "web.sh"

    @property
    def state(self) -> Path:
        return self.folder / "state" / "apps" / "web"

    def slot(self, name: str = "blue") -> Slot:
        return Slot(name, Endpoint("127.0.0.1", self.ports[name]))

    def table(self, **more: Any) -> dict[str, Any]:
        commands = {key: [str(self.script), key] for key in ("start", "stop", "status", "reload")}
        return {**commands, "cwd": str(self.folder), **more}

    def driver(self, *slots: str, **more: Any) -> Command:
        """A new driver, as a new run of the program has it; with one slot it works in place."""
        places = {name: f"127.0.0.1:{self.ports[name]}" for name in slots or self.ports}
        app = {"slots": places, "pool": "app_backend", "driver": "command", "command": self.table(**more)}
        parsed = settings.parse(toml({"apps": {"web": app}}).encode(), str(self.folder / "proxyswitch.toml"))
        return Command(Context("web", parsed.app("web"), self.state, print))

    def processes(self) -> list[ProcessId]:
        """What runs in this folder."""
        here = (proc.identify(pid) for pid in proc.pids() if proc.link(pid, "cwd") == str(self.folder))
        return [process for process in here if process and process.pid != os.getpid()]

    def close(self) -> None:
        for process in self.processes():
            signals.send(process, signals.KILL)
        wait(lambda: not self.processes())
        for pid in list(run._children):
            run.reap(pid)


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[Scripts]:
    made = Scripts(tmp_path)
    yield made
    made.close()
