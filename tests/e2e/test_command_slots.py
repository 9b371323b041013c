"""Releases of an app that a person's own script runs in two slots, behind nginx: the good way, and every fault."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.command_world import Scripts, scripts
from tests.e2e.shop import Shop, toml, wait
from tests.e2e.support import bench

__all__ = ["scripts"]


@dataclass
class CommandShop(Shop):
    """The app `web`; what is wrong with a version stands in a file beside the script."""

    scripts: Scripts = field(default_factory=lambda: Scripts(Path()))

    def configure(self, hooks: Any = None, **changes: Any) -> None:
        """Write proxyswitch.toml; `changes` to the app, to health (total), else to the table command."""
        app: dict[str, Any] = {key: changes.pop(key, "100ms") for key in ("watch",)}
        app |= {"pool": "app_backend", "driver": "command", "drain": "20s", "hooks": dict(hooks or {})}
        app["slots"] = {"blue": str(self.endpoint("blue")), "green": str(self.endpoint("green"))}
        health = {"url": "http://{address}/health", "json": {"version": "{version}"}, "interval": "50ms"}
        app["health"] = {**health, "total": changes.pop("total", "10s")}
        text = toml_lines({**app, "command": self.scripts.table(**changes)})
        self.settings.write_text(f"nginx = {toml({'conf': str(self.bench.conf)})}\n\n[apps.web]\n{text}")

    def broken(self, version: str, fault: str) -> None:
        (self.scripts.folder / f"broken-{version}").write_text(fault)

    def serves(self, version: str, slot: str) -> None:
        """That version, from that slot, and nothing else runs."""
        assert (self.bench.version(), self.live(), self.journals()) == (version, slot, [])
        assert len(self.scripts.processes()) == 1


def toml_lines(table: dict[str, Any]) -> str:
    return "".join(f"{key} = {toml(value)}\n" for key, value in table.items())


@pytest.fixture
def web(scripts: Scripts, nginx_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandShop]:
    """Version 1 is live in slot blue."""
    with bench(tmp_path_factory.mktemp("nginx")) as place:
        made = CommandShop(place, scripts.ports["blue"], scripts.ports["green"], scripts=scripts)
        made.configure()
        place.write(made.blue)
        place.start()
        try:
            assert made.run("start", "web:blue", "--version", "1").code == 0
            yield made
        finally:
            made.close()


def test_there_unchanged_and_back(web: CommandShop) -> None:
    assert web.deploy("2").out.startswith("web: 1 (blue) → 2 (green)")
    web.serves("2", "green")
    again = web.deploy("2")
    assert (again.out, again.err) == ("", "")
    back = web.run("rollback", "web")
    assert back.code == 0, back.err
    web.serves("1", "blue")
    assert "version 1 listens" in web.run("logs", "web:blue").out
    assert "ok     app web: commands of your own" in web.run("doctor").out


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("exit", "cannot reach the database: the last line"),
        ("never-ready", "503"),
        ("dies-after:2", "died after 2 s: the last line"),
    ],
)
def test_a_version_that_is_no_good(web: CommandShop, fault: str, said: str) -> None:
    web.configure(total="2s" if fault == "never-ready" else "10s", watch="20s", start_timeout="2s")
    web.broken("2", fault)
    result = web.deploy("2", code=3)
    assert said in result.err
    assert "everything is as before: web 1 serves from slot blue" in result.err
    web.serves("1", "blue")


def test_a_stop_that_hangs(web: CommandShop) -> None:
    """The new version serves, and stays; the old one is left to a person."""
    web.broken("2", "deaf")
    web.deploy("2")
    web.configure(stop_timeout="1s")
    result = web.deploy("3", code=4)
    assert "the command stop did not end within 1 s" in result.err
    assert web.bench.version() == "3"
    assert "state: the new version is live" in result.err
    assert "then: proxyswitch stop web:green" in result.err
    web.configure(stop=f'kill -9 "$(cat {web.scripts.folder}/web-$APP_SLOT.pid)"')
    assert web.run("stop", "web:green").out == "web: stopped green\n"
    web.serves("3", "blue")


@pytest.mark.parametrize("hook", ["before_switch", "after_switch"])
def test_a_kill_in_mid_release(web: CommandShop, hook: str) -> None:
    web.configure(hooks={hook: "touch waiting; exec sleep 600"})
    running = web.spawn("2")
    wait((web.bench.folder / "waiting").exists)
    running.send_signal(signal.SIGKILL)
    running.wait()
    web.configure()
    assert "took back" in web.run("recover").err
    web.serves("1", "blue")


def test_the_script_is_absent_or_may_not_be_run(web: CommandShop) -> None:
    web.scripts.script.chmod(0o644)
    result = web.deploy("2", code=2)
    assert f"apps.web.command.status: {web.scripts.script} may not be run" in result.err
    assert f"next: chmod +x {web.scripts.script}" in result.err
    web.scripts.script.rename(web.scripts.folder / "elsewhere")
    assert f"there is no program {web.scripts.script}" in web.deploy("2", code=2).err
    doctor = web.run("doctor")
    assert f"apps.web.command.start: there is no program {web.scripts.script}" in doctor.out
    assert doctor.code == 1
    assert web.bench.version() == "1"
