"""A gunicorn for tests: release folders with an app, the link to the one that runs, and an end for what was started."""

from __future__ import annotations

import json
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proxyswitch import settings
from proxyswitch.drivers.base import Context
from proxyswitch.drivers.gunicorn import master as masters
from proxyswitch.drivers.gunicorn.driver import Gunicorn
from proxyswitch.model import Endpoint, ProcessId, Slot
from proxyswitch.polling import until
from proxyswitch.system import proc, run, signals
from tests.ports import free_port

APP = Path(__file__).parents[1] / "runners" / "apps" / "wsgi.py"
GUNICORN = Path(sys.prefix) / "bin" / "gunicorn"
PATIENCE = 60.0
WEB = """\
import os, threading
os.environ.update(VERSION=os.environ.get("APP_VERSION") or {version!r}, BROKEN={broken!r})
{more}
from wsgi import app
"""
DIES = "timer = threading.Timer({seconds}, os._exit, (3,)); timer.daemon = True; timer.start()"


@dataclass
class Site:
    """Folders below `folder`: releases/VERSION, the link current, and the state."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def state(self) -> Path:
        return self.folder / "state" / "apps" / "web"

    @property
    def slot(self) -> Slot:
        return Slot("main", Endpoint("127.0.0.1", self.port))

    @property
    def pidfile(self) -> Path:
        return self.state / "main.pid"

    def put(self, version: str, broken: str = "", more: str = "") -> None:
        """Lay a release ready. `broken` is exit or never-ready, or dies-after:SECONDS; `more` are lines of its module."""
        release = self.folder / "releases" / version
        release.mkdir(parents=True, exist_ok=True)
        fault, _, seconds = broken.partition(":")
        if fault == "dies-after":
            fault, more = "", DIES.format(seconds=seconds)
        (release / "web.py").write_text(WEB.format(version=version, broken=fault, more=more))
        shutil.copy(APP, release)

    def command(self, *words: str, workers: int = 2) -> list[str]:
        return [sys.executable, str(GUNICORN), "--bind", "{address}", "--workers", str(workers), *words, "web:app"]

    def table(self, *words: str, **more: Any) -> dict[str, Any]:
        """The table of the driver, as the settings file has it."""
        current, release = str(self.folder / "current"), "releases/{version}"
        return {"command": self.command(*words), "current": current, "release": release, "grace": "10s", **more}

    def driver(self, *words: str, app: dict[str, Any] | None = None, **more: Any) -> Gunicorn:
        """A new driver, as a new run of the program has it."""
        place = {"slots": {"main": f"127.0.0.1:{self.port}"}, "driver": "gunicorn", **(app or {})}
        tree = {"apps": {"web": {**place, "gunicorn": self.table(*words, **more)}}}
        parsed = settings.parse(toml(tree).encode(), str(self.folder / "proxyswitch.toml"))
        return Gunicorn(Context("web", parsed.app("web"), self.state, print))

    def version(self) -> str:
        """Which version answers; nothing while none does."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as answer:
                return str(answer.headers["X-Version"])
        except OSError:
            return ""

    def master(self) -> ProcessId:
        found = masters.master_of(str(self.pidfile))
        assert found, "no master"
        return found

    def processes(self) -> list[ProcessId]:
        """All of this gunicorn: they hold its log open."""
        log = str(self.state / "logs" / "main.log")
        return [found for pid in proc.pids() if proc.link(pid, "fd/1") == log and (found := proc.identify(pid))]

    def close(self) -> None:
        for process in self.processes():
            signals.send(process, signals.KILL)
        wait(lambda: not self.processes())
        for pid in list(run._children):
            run.reap(pid)


def toml(value: object) -> str:
    """A value as TOML writes it; a table at the top as its lines."""
    if not isinstance(value, dict):
        return json.dumps(value)
    return "\n".join(f"{key} = {inline(item)}" for key, item in value.items())


def inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {inline(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def wait(look: Any) -> None:
    """Until it is so; a test that waits in vain fails."""
    assert until(lambda: look() or None, PATIENCE)


@contextmanager
def gunicorn_site(folder: Path) -> Iterator[Site]:
    from tests.conftest import missing  # not at the top: it guards the machine, and a container needs no guard

    if not GUNICORN.exists():
        missing("gunicorn", "pip install gunicorn")
    made = Site(folder)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with gunicorn_site(tmp_path) as made:
        yield made
