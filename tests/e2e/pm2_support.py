"""The `proxyswitch` command on a real PM2, whose site is in tests/drivers/pm2_world.py: in place, and with two slots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxyswitch.model import ProcessId
from proxyswitch.system import proc, signals
from tests.drivers.gunicorn_world import toml
from tests.drivers.pm2_world import SECRET, Site, wait
from tests.e2e.support import LIMIT, REPO, Bench, Run
from tests.generate.support import files
from tests.runners.pm2 import Pm2

HANG = "touch $PROXYSWITCH_HOOK; exec sleep 300"
APP = ("drain", "watch", "hooks", "slots", "pool")


@dataclass
class Web:
    """The app `web` of a settings file, in place."""

    site: Site
    commands: list[subprocess.Popen[str]] = field(default_factory=list)

    def table(self, keys: Mapping[str, Any]) -> dict[str, Any]:
        return self.site.table(**keys)

    def app(self) -> dict[str, Any]:
        return {"slots": {"main": f"127.0.0.1:{self.site.port}"}, "drain": "20s", "watch": "100ms"}

    def head(self) -> str:
        return ""

    def configure(self, **changes: Any) -> None:
        """Write proxyswitch.toml; `changes` to health (total), to the app (drain, watch, hooks), else to the table pm2."""
        health = {"url": "http://{address}/health", "json": {"version": "{version}"}, "interval": "50ms"}
        health["total"] = changes.pop("total", "20s")
        app = self.app() | {key: changes.pop(key) for key in APP if key in changes}
        text = toml({**app, "driver": "pm2", "health": health, "pm2": self.table(changes)})
        (self.site.folder / "proxyswitch.toml").write_text(f"{self.head()}[apps.web]\n{text}\n")

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "PROXYSWITCH_STATE": str(self.site.folder / "state"), "PYTHONPATH": str(REPO)}

    def spawn(self, *words: str) -> subprocess.Popen[str]:
        """Start it and do not wait."""
        argv, pipe = [sys.executable, "-m", "proxyswitch", *words], subprocess.PIPE
        child = subprocess.Popen(argv, env=self.env, cwd=self.site.folder, stdout=pipe, stderr=pipe, text=True)
        self.commands.append(child)
        return child

    def end(self, child: subprocess.Popen[str], code: int) -> Run:
        """How it ends; fails the test when it does so with another status, or tells a secret."""
        out, err = child.communicate(timeout=180)
        assert child.returncode == code, (child.returncode, out, err)
        assert SECRET not in out + err
        return Run(child.returncode, out, err)

    def run(self, *words: str, code: int = 0) -> Run:
        return self.end(self.spawn(*words), code)

    def generate(self, *words: str) -> None:
        """Put what `generate pm2` makes of the settings in place of the ecosystem file."""
        config = self.site.folder / "proxyswitch.toml"
        made = files(f"pm2 --app web --config {config} --script web.js --env SECRET={SECRET}", *words)
        (self.site.folder / "ecosystem.config.js").write_text(made["ecosystem.config.js"])

    def deploy(self, version: str, *words: str, code: int = 0) -> Run:
        return self.run("deploy", "web", "--version", version, *words, code=code)

    def release(self, version: str, *words: str, more: str = "", code: int = 0) -> Run:
        """Lay a version ready, and deploy it."""
        self.site.put(version, more)
        return self.deploy(version, *words, code=code)

    def kill_in(self, hook: str, version: str, **keys: Any) -> None:
        """Deploy, and kill -9 the run in that hook; the hook is ended too."""
        self.configure(hooks={hook: HANG}, **keys)
        self.site.put(version)
        running = self.spawn("deploy", "web", "--version", version)
        wait((self.site.folder / hook).exists)
        wait(lambda: proc.children(running.pid))
        hooks = [found for pid in proc.children(running.pid) if (found := proc.identify(pid))]
        running.kill()
        running.wait(LIMIT)
        for process in hooks:
            signals.send(process, signals.KILL)
        self.configure(**keys)

    def journals(self) -> list[str]:
        """What is not finished."""
        return [p.name for p in (self.site.folder / "state/journal").glob("*") if p.stat().st_size]

    def instances(self) -> dict[str, str]:
        """The version that proxyswitch sees in each slot; those with none are left out."""
        out, _ = self.spawn("status", "web", "--json").communicate(timeout=LIMIT)
        seen = json.loads(out)
        return {slot["slot"]: slot["version"] for slot in seen["apps"][0]["slots"] if slot["running"]}

    def serves(self, version: str) -> None:
        """That version, in every one of some answers; nothing beside it, nothing left to recover."""
        assert {self.site.version() for _ in range(10)} == {version}
        assert self.instances() == {"main": version}
        assert os.readlink(self.site.folder / "current").endswith(f"/releases/{version}")
        assert self.site.names() == {"web"}
        assert self.journals() == []

    def secrets(self) -> list[str]:
        """The files of ours that hold the app's secret."""
        files = (p for p in (self.site.folder / "state").rglob("*") if p.is_file())
        return [p.name for p in files if SECRET.encode() in p.read_bytes()]

    def kill_daemon(self) -> ProcessId:
        daemon = self.site.daemon()
        signals.send(daemon, signals.KILL)
        wait(lambda: not proc.alive(daemon))
        return daemon

    def close(self) -> None:
        for child in self.commands:
            child.kill()
            child.communicate()


@dataclass
class Beside(Web):
    """The same with two slots, behind an nginx of a bench."""

    bench: Bench | None = None

    def table(self, keys: Mapping[str, Any]) -> dict[str, Any]:
        (self.site.folder / "slots").mkdir(exist_ok=True)
        return self.site.beside(**keys)

    def app(self) -> dict[str, Any]:
        return {**super().app(), "slots": self.site.slots, "pool": "app_backend"}

    def head(self) -> str:
        assert self.bench
        return f"nginx = {{ conf = {json.dumps(str(self.bench.conf))} }}\n"

    def served(self) -> str:
        assert self.bench
        return self.site.version(self.bench.port)

    def as_before(self) -> None:
        """Version 1 serves from blue, and nothing else runs."""
        seen = (self.instances(), self.served(), self.journals())
        assert seen == ({"blue": "1"}, "1", []), seen
        assert not self.site.pids("web-green")


@contextmanager
def pm2_web(folder: Path, pm2: Pm2) -> Iterator[Web]:
    made = Web(Site(folder, pm2))
    made.site.ecosystem()
    made.configure()
    try:
        yield made
    finally:
        made.close()


@contextmanager
def pm2_beside(folder: Path, pm2: Pm2, bench: Bench, **keys: Any) -> Iterator[Beside]:
    """No version runs yet; `keys` to the ecosystem file."""
    made = Beside(Site(folder, pm2), bench=bench)
    made.site.ecosystem(cwd=None, **keys)
    made.configure()
    try:
        yield made
    finally:
        made.close()
