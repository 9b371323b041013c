"""A real PM2 with a daemon of its own, which ends with the test.

    def test_it(pm2: Pm2) -> None:
        pm2.run("start", str(APP), "--name", "web", "-i", "2", "--wait-ready", env={"PORT": "8123", "VERSION": "1"})
        assert [process["pm2_env"]["status"] for process in pm2.list()] == ["online", "online"]

`pm2.env` is what a command needs in its environment to find this PM2 and its daemon. `APP` is apps/server.js. PM2 gives an
app the environment of the command that started it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from proxyswitch.polling import until
from proxyswitch.system import proc, signals
from tests.conftest import missing
from tests.runners.store import STORE

APP = Path(__file__).parent / "apps/server.js"
PROGRAMS = STORE / "pm2/node_modules/.bin"
SETUP = "scripts/setup test"
LIMIT = 60.0


@dataclass(frozen=True)
class Pm2:
    """PM2 with a home of its own."""

    home: Path

    @property
    def env(self) -> dict[str, str]:
        return {"PM2_HOME": str(self.home), "PATH": f"{PROGRAMS}:{os.environ.get('PATH', os.defpath)}"}

    def exec(
        self, *args: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `pm2 ARGS`; its status is the caller's to judge. `env` is added to ours."""
        values = {**os.environ, **self.env, **(env or {})}
        argv = [str(PROGRAMS / "pm2"), *args]
        return subprocess.run(argv, env=values, cwd=cwd, capture_output=True, text=True, check=False, timeout=LIMIT)

    def run(self, *args: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
        """What `pm2 ARGS` prints. Raises AssertionError with its output when it fails."""
        done = self.exec(*args, env=env, cwd=cwd)
        assert done.returncode == 0, f"pm2 {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def list(self) -> list[dict[str, Any]]:
        """What `pm2 jlist` says: one entry a process."""
        found: list[dict[str, Any]] = json.loads(self.run("--silent", "jlist"))
        return found

    def told(self) -> str:
        """What the daemon and its apps have written, for the message of a test that fails."""
        return "\n".join(f"{path}:\n{path.read_text()}" for path in sorted(self.home.rglob("*.log")))

    def end(self) -> None:
        """`pm2 kill`, and the end of what does not heed it."""
        self.exec("kill")

        def ended() -> bool | None:
            left = proc.with_environment("PM2_HOME", str(self.home))
            for process in left:
                signals.send(process, signals.KILL)
            return not left or None

        assert until(ended, LIMIT)


@pytest.fixture
def pm2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pm2]:
    """PM2 for one test; see above."""
    if not shutil.which("node") or not (PROGRAMS / "pm2").exists():
        missing("pm2", SETUP)
    made = Pm2(tmp_path_factory.mktemp("pm2"))  # its sockets must have short names
    try:
        yield made
    finally:
        made.end()
