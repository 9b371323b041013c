"""The stage of the demo: a temporary folder with a private nginx, as the present user, and the sample app's settings."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from proxyswitch import polling, resources
from proxyswitch.errors import Failed
from proxyswitch.model import Endpoint, ProcessId
from proxyswitch.proxies import nginx_master
from proxyswitch.system import files, net, proc, run, signals

START_TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is."""

    folder: Path
    port: int
    blue: Endpoint
    green: Endpoint

    @property
    def public(self) -> Endpoint:
        return Endpoint("127.0.0.1", self.port)

    @property
    def conf(self) -> Path:
        return self.folder / "nginx" / "nginx.conf"

    @property
    def settings(self) -> Path:
        return self.folder / "proxyswitch.toml"


def build(python: str) -> Stage:
    """Make the folder, with config, settings and app. Ports come from the kernel."""
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-demo-"))
    ports = _free_ports(3)
    stage = Stage(folder, ports[0], Endpoint("127.0.0.1", ports[1]), Endpoint("127.0.0.1", ports[2]))
    (folder / "nginx").mkdir()
    user = "root" if os.geteuid() == 0 else ""
    stage.conf.write_text(_render("demo/nginx.conf.j2", folder=str(folder), blue=stage.blue, port=stage.port, user=user))
    stage.settings.write_text(
        _render("demo/proxyswitch.toml.j2", folder=str(folder), blue=stage.blue, green=stage.green, python=python)
    )
    shutil.copy(resources.find("fixtures/demo/app.py"), folder / "app.py")
    return stage


def _free_ports(count: int) -> list[int]:
    ports: list[int] = []
    while len(ports) < count:
        port = net.free_port()
        if port not in ports:
            ports.append(port)
    return ports


def _render(name: str, **values: object) -> str:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    loader = FileSystemLoader(resources.find("templates"))
    env = SandboxedEnvironment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return env.get_template(name).render(**values)


def start_nginx(stage: Stage, binary: str) -> ProcessId:
    """Start the private nginx; returns its master. Raises Failed with what it said."""
    log = str(stage.folder / "nginx" / "error.log")
    result = run.run(run.Command((binary, "-c", str(stage.conf), "-e", log), timeout=20))
    if not result.ok:
        raise Failed(f"the demo's nginx did not start: {result.err.strip() or result.reason()}")
    master = polling.until(lambda: _master(stage), START_TIMEOUT)
    if master is None:
        raise Failed("the demo's nginx did not write its pid file")
    return master


def _master(stage: Stage) -> ProcessId | None:
    try:
        found = nginx_master.master_at(int(files.read(stage.folder / "nginx" / "nginx.pid")))
    except (OSError, ValueError):
        return None
    return found.process if found else None


def stop_nginx(stage: Stage) -> None:
    """End the private nginx, old workers included."""
    master = _master(stage)
    if master is None:
        return
    workers = [p for p in map(proc.identify, proc.children(master.pid)) if p]
    signals.send(master, signals.TERM)
    gone: Callable[[], bool | None] = lambda: None if any(map(proc.alive, [master, *workers])) else True  # noqa: E731
    if not polling.until(gone, START_TIMEOUT):
        for process in [master, *workers]:
            signals.send(process, signals.KILL)
