"""The `proxyswitch` command on a real gunicorn, whose site is in tests/drivers/gunicorn_world.py."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxyswitch.drivers.gunicorn import master as masters
from proxyswitch.model import ProcessId
from tests.drivers.gunicorn_world import Site, gunicorn_site, toml
from tests.e2e.support import REPO, Run

HEALTH = {
    "url": "http://{address}/health",
    "json": {"status": "healthy", "version": "{version}"},
    "interval": "50ms",
    "total": "20s",
}


@dataclass
class Web:
    """The app `web` of a settings file, which runs on gunicorn."""

    site: Site
    commands: list[subprocess.Popen[str]] = field(default_factory=list)

    def configure(self, *words: str, hooks: Mapping[str, str] | None = None, **changes: Any) -> None:
        """Write proxyswitch.toml; `changes` to health (total), to the app (drain, watch), else to the table gunicorn."""
        changed: dict[str, object] = {key: changes.pop(key) for key in ("total", "url") if key in changes}
        health: dict[str, object] = {**HEALTH, **changed}
        app: dict[str, Any] = {key: changes.pop(key, default) for key, default in (("drain", "20s"), ("watch", "100ms"))}
        slots = {"main": f"127.0.0.1:{self.site.port}"}
        app |= {"slots": slots, "driver": "gunicorn", "hooks": dict(hooks or {})}
        text = toml({**app, "health": health, "gunicorn": self.site.table(*words, **changes)})
        (self.site.folder / "proxyswitch.toml").write_text(f"[apps.web]\n{text}\n")

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "proxyswitch", *words]

    @property
    def env(self) -> dict[str, str]:
        return {**os.environ, "PROXYSWITCH_STATE": str(self.site.folder / "state"), "PYTHONPATH": str(REPO)}

    def run(self, *words: str, code: int = 0) -> Run:
        """Run it; fails the test when it ends with another status."""
        done = subprocess.run(
            self.argv(*words),
            env=self.env,
            cwd=self.site.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return Run(done.returncode, done.stdout, done.stderr)

    def deploy(self, version: str, *words: str, code: int = 0) -> Run:
        return self.run("deploy", "web", "--version", version, *words, code=code)

    def release(self, version: str, broken: str = "", *words: str, more: str = "", code: int = 0) -> Run:
        """Lay a version ready, and deploy it."""
        self.site.put(version, broken, more)
        return self.deploy(version, *words, code=code)

    def spawn(self, *words: str) -> subprocess.Popen[str]:
        """Start it and do not wait."""
        child = subprocess.Popen(
            self.argv(*words),
            env=self.env,
            cwd=self.site.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.commands.append(child)
        return child

    def workers(self) -> set[ProcessId]:
        return set(masters.workers(self.site.master(), str(self.site.pidfile)))

    def second(self) -> list[ProcessId]:
        return masters.seconds_of(self.site.master(), str(self.site.pidfile))

    @property
    def link(self) -> str:
        return os.readlink(self.site.folder / "current")

    def journals(self) -> list[str]:
        """What is not finished."""
        return [p.name for p in (self.site.folder / "state/journal").glob("*") if p.stat().st_size]

    def serves(self, version: str) -> None:
        """That version, in every one of some answers; one master, nothing left to recover."""
        assert {self.site.version() for _ in range(10)} == {version}
        assert self.link == f"releases/{version}"
        assert self.second() == []
        assert self.journals() == []

    def close(self) -> None:
        for child in self.commands:
            child.kill()
            child.communicate()


@contextmanager
def gunicorn_web(folder: Path) -> Iterator[Web]:
    with gunicorn_site(folder) as site:
        made = Web(site)
        made.configure()
        try:
            yield made
        finally:
            made.close()
