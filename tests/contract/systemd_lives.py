"""The whole lives of units, for a container with a real systemd: `python -m tests.contract.systemd_lives`.

A test of its own process writes below /etc there, which no test may do on the machine.
"""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from proxyswitch.drivers.base import Context
from proxyswitch.drivers.gunicorn.driver import Gunicorn
from proxyswitch.drivers.systemd.driver import Systemd
from proxyswitch.model import ProcessId, Slot
from proxyswitch.settings_app import App
from proxyswitch.settings_base import Local, Seconds
from proxyswitch.settings_runners import Gunicorn as GunicornTable
from proxyswitch.settings_runners import Systemd as Table
from proxyswitch.system import signals
from tests.contract.drivers import InPlaceLife, wait, whole_life
from tests.drivers.gunicorn_world import Site


def driver(folder: Path, slots: dict[str, str], **keys: Any) -> tuple[Slot, Any]:
    """The first slot of an app, and what makes its driver."""
    app = App(slots=slots, driver="systemd", pool="web", systemd=Table(**keys))
    return app.places[0], lambda: Systemd(Context("web", app, folder / "state"))


def beside(folder: Path, scope: str, name: str, port: int, file: str = "") -> None:
    """Two slots; the environment in a drop-in, or in a file a slot."""
    slots = {"blue": f"127.0.0.1:{port}", "green": f"127.0.0.1:{port + 1}"}
    unit, environment_file = f"{name}@{{slot}}", Local(folder / file if file else "")
    keys: dict[str, Any] = {"unit": unit, "scope": scope, "environment_file": environment_file}
    slot, make = driver(folder, slots, env={"VERSION": "{version}"}, **keys)
    whole_life(make, slot, lambda version: f"version {version} listens")


def restarted(folder: Path, scope: str, name: str, port: int) -> None:
    """What systemd starts again has died for the run that started it; for any later run it is there."""
    slots = {"blue": f"127.0.0.1:{port}", "green": f"127.0.0.1:{port + 1}"}
    slot, make = driver(folder, slots, unit=f"{name}@{{slot}}", scope=scope)
    first = make().start(slot, "v1").process
    try:
        assert make().status(slot).version == "v1"
        assert signals.send(first, signals.KILL)
        wait(lambda: (state := make()._state(slot)).active and state.restarts)
        assert make().status(slot) is None
        assert "systemd has started it again 1 time" in make().obituary(slot)
        with mock.patch("proxyswitch.drivers.systemd.driver.me", return_value=ProcessId(1, 1)):
            assert make().status(slot).version == "v1"
    finally:
        assert make().stop(slot)


def in_place(folder: Path, scope: str, name: str, port: int, way: str) -> None:
    slot, make = driver(
        folder,
        {"main": f"127.0.0.1:{port}"},
        unit=name,
        scope=scope,
        reload=way,
        current=Local(folder / "current"),
        release=Local(folder / "releases/{version}"),
    )

    def put(version: str) -> None:
        place = folder / "releases" / version
        place.mkdir(parents=True, exist_ok=True)
        (place / "version").write_text(version)

    def asked() -> str:
        try:
            with urllib.request.urlopen(f"http://{slot.endpoint}/", timeout=5) as answer:
                return str(answer.headers["X-Version"])
        except OSError:
            return ""

    InPlaceLife(make, slot, put, asked).live()


def gunicorn(folder: Path, scope: str, name: str, port: int) -> None:
    """The main process of a unit: its workers are replaced by the unit's reload."""
    site = Site(folder, port)
    table = GunicornTable(
        command=site.command(),
        current=Local(folder / "current"),
        release="releases/{version}",
        unit=name,
        scope=scope,
        grace=Seconds(20),
    )
    app = App(slots={"main": f"127.0.0.1:{port}"}, driver="gunicorn", gunicorn=table)
    InPlaceLife(lambda: Gunicorn(Context("web", app, folder / "state")), site.slot, site.put, site.version).live()


LIVES: dict[str, Callable[..., None]] = {
    "beside": beside,
    "in_place": in_place,
    "restarted": restarted,
    "gunicorn": gunicorn,
}

if __name__ == "__main__":
    life, folder, scope, name, port, *more = sys.argv[1:]
    os.environ["PROXYSWITCH_STATE"] = f"{folder}/state"
    LIVES[life](Path(folder), scope, name, int(port), *more)
