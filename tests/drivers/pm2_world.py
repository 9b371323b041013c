"""An app of a real PM2 for tests: release folders with an app, the link to the one that runs, and an ecosystem file.

The version picks the fault, behind a hyphen: `2-exit`, `2-never-ready`, `2-dies-after:2`, `2-deaf`
(see runners/apps/server.js).
"""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proxyswitch import settings
from proxyswitch.drivers.base import Context
from proxyswitch.drivers.pm2.driver import Pm2 as Driver
from proxyswitch.model import ProcessId, Slot
from proxyswitch.system import proc
from tests.drivers.gunicorn_world import toml, wait
from tests.ports import free_port
from tests.runners.pm2 import APP, PROGRAMS, Pm2

SECRET = "hunter2"
WEB = """\
const [version, fault] = {version!r}.split(/-(.*)/);
process.env.VERSION = {version!r};
process.env.BROKEN = fault || "";
{more}
require({app!r});
"""
ECOSYSTEM = "module.exports = {{ apps: [{app}] }};\n"


@dataclass
class Site:
    """Folders below `folder`: releases/VERSION, the link current, and the state."""

    folder: Path
    pm2: Pm2
    port: int = field(default_factory=free_port)
    green: int = field(default_factory=free_port)

    @property
    def slots(self) -> dict[str, str]:
        return {"blue": f"127.0.0.1:{self.port}", "green": f"127.0.0.1:{self.green}"}

    @property
    def slot(self) -> Slot:
        return self.context().app.places[0]

    def put(self, version: str, more: str = "") -> None:
        """Lay a release ready; `more` are lines of its script."""
        release = self.folder / "releases" / version
        release.mkdir(parents=True, exist_ok=True)
        (release / "web.js").write_text(WEB.format(version=version, more=more, app=str(APP)))

    def ecosystem(self, **keys: Any) -> Path:
        """Write the file that the person has; `keys` over what is usual, None leaves one out."""
        usual = {"name": "web", "script": "web.js", "cwd": str(self.folder / "current"), "exec_mode": "cluster"}
        more = {"instances": 2, "wait_ready": True, "listen_timeout": 20000, "kill_timeout": 5000}
        app = {
            key: value for key, value in {**usual, **more, "env": {"SECRET": SECRET}, **keys}.items() if value is not None
        }
        path = self.folder / "ecosystem.config.js"
        path.write_text(ECOSYSTEM.format(app=json.dumps(app)))
        return path

    def table(self, **keys: Any) -> dict[str, Any]:
        """The table of the driver, as the settings file has it: in place, by the file. None leaves a key out."""
        usual = {"name": "web", "ecosystem": "ecosystem.config.js", "current": "current", "release": "releases/{version}"}
        more = {"home": str(self.pm2.home), "program": str(PROGRAMS / "pm2"), "start_timeout": "20s"}
        return {key: value for key, value in {**usual, **more, **keys}.items() if value is not None}

    def beside(self, **keys: Any) -> dict[str, Any]:
        """The same with two slots, whose file knows one app."""
        return self.table(**{"name": "web-{slot}", "app": "web", "current": "slots/{slot}", **keys})

    def context(self, table: dict[str, Any] | None = None, **app: Any) -> Context:
        places = {"slots": {"main": f"127.0.0.1:{self.port}"}, "driver": "pm2", "health": {"json": {"version": "{version}"}}}
        tree = {"apps": {"web": {**places, **app, "pm2": table or self.table()}}}
        parsed = settings.parse(toml(tree).encode(), str(self.folder / "proxyswitch.toml"))
        return Context("web", parsed.app("web"), self.folder / "state", print)

    def driver(self, **keys: Any) -> Driver:
        """A new driver in place, as a new run of the program has it."""
        return Driver(self.context(self.table(**keys)))

    def slot_driver(self, **keys: Any) -> Driver:
        """The same with two slots."""
        (self.folder / "slots").mkdir(exist_ok=True)
        return Driver(self.context(self.beside(**keys), slots=self.slots, pool="web"))

    def version(self, port: int = 0) -> str:
        """Which version answers; nothing while none does."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port or self.port}/", timeout=10) as answer:
                return str(answer.headers["X-Version"])
        except OSError:
            return ""

    def pids(self, name: str = "web") -> set[int]:
        return {int(one["pid"]) for one in self.pm2.list() if one["name"] == name and one["pid"]}

    def names(self) -> set[str]:
        return {str(one["name"]) for one in self.pm2.list()}

    def daemon(self) -> ProcessId:
        found = proc.identify(int((self.pm2.home / "pm2.pid").read_text()))
        assert found
        return found


@pytest.fixture
def site(tmp_path: Path, pm2: Pm2) -> Site:
    made = Site(tmp_path, pm2)
    made.ecosystem()
    return made


__all__ = ["SECRET", "Site", "site", "wait"]
