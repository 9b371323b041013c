"""An app that proxyswitch releases: two slots behind a bench's proxy, its settings file, and an end for what it started.

The version picks the fault: `2-ill` is never healthy, `2-crashes` ends before it listens, `2-deaf` ignores SIGTERM.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxyswitch.model import Endpoint, ProcessId
from proxyswitch.polling import until
from proxyswitch.system import net, proc, signals
from tests.e2e.support import APP, LIMIT, Bench, Run
from tests.ports import free_port

START = """\
#!/bin/sh
case "$APP_VERSION" in
*-ill) APP_BROKEN=never-healthy ;;
*-crashes) APP_BROKEN=crash ;;
*-deaf) APP_BROKEN=ignores-term ;;
*) APP_BROKEN= ;;
esac
export APP_BROKEN
exec {python} -I -S {app}
"""


def wait(look: Callable[[], object]) -> None:
    """Until it is so; a test that waits in vain fails."""
    assert until(lambda: look() or None, LIMIT) is not None


def toml(value: object) -> str:
    """A value as TOML writes it; JSON's values are TOML's."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


@dataclass
class Shop:
    """The app `web` on a bench."""

    bench: Bench
    blue: int = field(default_factory=free_port)
    green: int = field(default_factory=free_port)
    commands: list[subprocess.Popen[str]] = field(default_factory=list)
    proxy: str = "nginx"

    # settings

    def configure(self, hooks: Mapping[str, object] | None = None, **changes: Any) -> None:
        """Write proxyswitch.toml; `changes` to app, process and health by their key."""
        start = self.bench.folder / "start.sh"
        start.write_text(START.format(python=self.bench.python, app=APP))
        start.chmod(0o755)
        health: dict[str, object] = {
            "url": "http://{address}/health",
            "json": {"status": "healthy", "version": "{version}"},
            "interval": "50ms",
            "total": "20s",
        }
        process: dict[str, object] = {"command": [str(start)], "grace": "5s"}
        app: dict[str, object] = {
            "pool": "app_backend",
            "slots": {"blue": f"127.0.0.1:{self.blue}", "green": f"127.0.0.1:{self.green}"},
            "drain": "20s",
            "watch": "100ms",
        }
        proxy: dict[str, object] = {"conf": str(self.bench.conf)}
        for key, value in changes.items():
            table = (
                proxy
                if key in ("reload_timeout", "conf", "socket")
                else health
                if key in ("url", "json", "total")
                else process
                if key in PROCESS
                else app
            )
            table[key] = value
        app |= {"process": process, "health": health, "hooks": dict(hooks or {}), "proxy": self.proxy}
        text = "".join(f"{key} = {toml(value)}\n" for key, value in app.items())
        self.settings.write_text(f"{self.proxy} = {toml(proxy)}\n\n[apps.web]\n{text}")
        self.bench.own()

    @property
    def settings(self) -> Path:
        return self.bench.folder / "proxyswitch.toml"

    # the command

    def run(self, *words: str, env: dict[str, str] | None = None) -> Run:
        return self.bench.run(*words, env=env)

    def deploy(self, version: str, *words: str, code: int = 0) -> Run:
        """Deploy a version; fails the test when it ends with another status."""
        result = self.run("deploy", "web", "--version", version, *words)
        assert result.code == code, (result.code, result.out, result.err)
        return result

    def spawn(self, version: str, *words: str) -> subprocess.Popen[str]:
        self.commands.append(self.bench.spawn("deploy", "web", "--version", version, *words))
        return self.commands[-1]

    # what is so

    def endpoint(self, slot: str) -> Endpoint:
        return Endpoint("127.0.0.1", getattr(self, slot))

    def listening(self, slot: str) -> bool:
        return net.is_listening(self.endpoint(slot))

    def record(self, slot: str) -> dict[str, Any]:
        """What the driver remembers of a slot; empty for nothing."""
        path = self.bench.state / "apps" / "web" / f"{slot}.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def runs(self, slot: str) -> ProcessId | None:
        """The process that proxyswitch started in a slot, if it lives."""
        known = self.record(slot)
        process = ProcessId(known["pid"], known["start"]) if known else None
        return process if process and proc.alive(process) else None

    def instances(self) -> dict[str, str]:
        """The version that runs in each slot; slots with none are left out."""
        return {slot: self.record(slot)["version"] for slot in ("blue", "green") if self.runs(slot)}

    def live(self) -> str:
        """The slot that the config names, or the address itself."""
        names = {name: slot for slot in ("blue", "green") for name in (str(self.endpoint(slot)), f"app-{slot}")}
        address = self.run("get", "app_backend").out.strip()
        return names.get(address, address)

    def journals(self) -> list[str]:
        """What is not finished."""
        return [p.name for p in (self.bench.state / "journal").glob("*") if p.stat().st_size]

    def history(self) -> list[dict[str, Any]]:
        path = self.bench.state / "history.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def releases(self) -> list[tuple[str, str, str]]:
        """Kind, version and result of what was released."""
        return [(e["kind"], e["version"], e["result"]) for e in self.history() if e.get("version")]

    def snapshot(self) -> dict[str, bytes]:
        """Every file of config and state, but for nginx's own logs."""
        files = (p for p in self.bench.folder.rglob("*") if p.is_file() and p.suffix not in (".log", ".lock"))
        return {str(p.relative_to(self.bench.folder)): p.read_bytes() for p in files}

    # the end

    def close(self) -> None:
        """End every instance and command of this bench: all have its state folder in their environment."""

        def left() -> list[ProcessId]:
            return proc.with_environment("PROXYSWITCH_STATE", str(self.bench.state))

        for process in left():
            signals.send(process, signals.KILL)
        for command in self.commands:
            command.communicate()
        wait(lambda: not left())


PROCESS = ("command", "cwd", "user", "umask", "env", "log_dir", "log_keep", "stop_signal", "grace", "adopt_port")


@dataclass
class Long:
    """A request that takes `seconds`, sent from a thread of its own; it has reached the app when this is made."""

    shop: Shop
    seconds: float
    version: str = ""
    error: str = ""

    def __post_init__(self) -> None:
        slot = self.shop.live()
        before = net.connections([self.shop.endpoint(slot)])[self.shop.endpoint(slot)]
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()
        wait(lambda: net.connections([self.shop.endpoint(slot)])[self.shop.endpoint(slot)] > before)

    def _send(self) -> None:
        url = f"http://127.0.0.1:{self.shop.bench.port}/slow?seconds={self.seconds}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                self.version = answer.headers["X-Version"]
        except OSError as error:
            self.error = str(error)

    @property
    def open(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> str:
        """Wait for the answer; the version that gave it."""
        self._thread.join(LIMIT + self.seconds)
        assert not self.error, self.error
        return self.version


@contextmanager
def shop(bench: Bench, proxy: str = "nginx") -> Iterator[Shop]:
    """The proxy runs, its pool leads to blue, where nothing runs yet."""
    made = Shop(bench, proxy=proxy)
    made.configure()
    write: Callable[..., None] = bench.write
    write(made.blue, **({"green": made.green} if proxy == "haproxy" else {}))
    bench.start()
    try:
        yield made
    finally:
        made.close()


def python(*lines: str) -> list[str]:
    """A hook that runs those lines."""
    return [sys.executable, "-I", "-S", "-c", "\n".join(lines)]


def environment(process: ProcessId) -> dict[str, str]:
    return proc.environment(process.pid)
