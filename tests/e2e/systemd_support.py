"""An app whose versions are units, behind an nginx of its own in the container with systemd, and `proxyswitch` there.

The version picks the fault, behind a hyphen: `2-exit`, `2-never-ready`, `2-dies-after:2`, `2-deaf` (see
runners/apps), `2-early`, which ends before it says that it is ready, and `2-silent`, which never says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from proxyswitch.polling import until
from proxyswitch.system import proc, signals
from tests.e2e.shop import toml
from tests.ports import free_port
from tests.runners import engine
from tests.runners.systemd import APP, USER, Systemd

LIMIT = 60.0
START = f"""\
#!/bin/sh
case "$APP_VERSION" in
*-silent) exec sleep 600 ;;
*-early) echo refuses to start: the last line; exit 3 ;;
*-*) export BROKEN="${{APP_VERSION#*-}}" ;;
esac
[ -z "$NOTIFY_SOCKET" ] || systemd-notify --ready
VERSION=$APP_VERSION SLOT=$APP_SLOT exec python3 {APP}
"""
UNIT = """\
[Service]
{service}
[Install]
WantedBy={target}
"""
NGINX = """\
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    upstream web {{
        server 127.0.0.1:{blue};
    }}
    server {{
        listen {port};
        location / {{ proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""
TABLES = ("systemd", "health", "hooks")


@dataclass
class Units:
    """The app `web`, with slots blue and green, or with one. `who` runs all of it: root, or a user with a manager."""

    systemd: Systemd
    name: str
    who: str = "root"
    blue: int = field(default_factory=free_port)
    green: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)

    @property
    def home(self) -> str:
        return "/root" if self.who == "root" else f"/home/{self.who}"

    @property
    def folder(self) -> str:
        return f"{self.home}/{self.name}"

    @property
    def scope(self) -> str:
        return "system" if self.who == "root" else "user"

    @property
    def env(self) -> dict[str, str]:
        return {"PROXYSWITCH_STATE": f"{self.folder}/state"}

    # what is there

    def unit(self, service: str = "", name: str = "") -> None:
        """Write the unit, and let systemd read it."""
        self.write("start.sh", START, mode="755")
        place = "/etc/systemd/system" if self.who == "root" else f"{self.home}/.config/systemd/user"
        text = UNIT.format(
            service=service
            if "ExecStart=" in service
            else f"ExecStart={self.folder}/start.sh\nTimeoutStopSec=20\n{service}",
            target="multi-user.target" if self.who == "root" else "default.target",
        )
        self.systemd.write(f"{place}/{name or f'{self.name}@'}.service", text, user=self.who)
        self.systemctl("daemon-reload")

    def write(self, name: str, text: str, mode: str = "644") -> None:
        self.systemd.write(f"{self.folder}/{name}", text, user=self.who, mode=mode)

    def configure(self, **changes: Any) -> None:
        """Write proxyswitch.toml; `changes` by the key of the app, or of a table as `systemd_enable`."""
        app: dict[str, Any] = {
            "pool": "web",
            "slots": {"blue": f"127.0.0.1:{self.blue}", "green": f"127.0.0.1:{self.green}"},
            "drain": "10s",
            "watch": "100ms",
            "systemd": {"unit": f"{self.name}@{{slot}}", "scope": self.scope},
            "health": {
                "url": "http://{address}/health",
                "json": {"version": "{version}"},
                "interval": "50ms",
                "total": "5s",
            },
        }
        for key, value in changes.items():
            table, _, name = key.partition("_")
            if table in TABLES:
                app.setdefault(table, {})[name] = value
                app[table] = {k: v for k, v in app[table].items() if v is not None}
            else:
                app[key] = value
        rows = "".join(f"{key} = {toml(value)}\n" for key, value in app.items() if value is not None)
        self.write("proxyswitch.toml", f"nginx = {toml({'conf': f'{self.folder}/nginx.conf'})}\n\n[apps.web]\n{rows}")

    def nginx(self) -> None:
        text = NGINX.format(folder=self.folder, blue=self.blue, port=self.port)
        self.write("nginx.conf", f"user root;\n{text}" if self.who == "root" else text)
        self.systemd.run("nginx", "-e", f"{self.folder}/error.log", "-c", f"{self.folder}/nginx.conf", user=self.who)

    # what is done

    def systemctl(self, *words: str) -> str:
        return self.systemd.run("systemctl", f"--{self.scope}", *words, user=self.who)

    def run(self, *words: str, code: int = 0, user: str = "", env: Mapping[str, str] | None = None) -> Done:
        """`proxyswitch`; fails the test when it ends with another status."""
        done = self.systemd.proxyswitch(*words, user=user or self.who, env=env or self.env, cwd=self.folder)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def deploy(self, version: str, *words: str, code: int = 0) -> Done:
        return self.run("deploy", "web", "--version", version, *words, code=code)

    def spawn(self, *words: str) -> subprocess.Popen[str]:
        """Start `proxyswitch`, and do not wait; `killed` ends it."""
        values = [word for key, value in self.env.items() for word in ("-e", f"{key}={value}")]
        argv = ["docker", "exec", *values, "-u", self.who, "-w", self.folder, self.systemd.name]
        argv += [sys.executable, "-m", "proxyswitch", *words]
        return subprocess.Popen(
            argv, env={**os.environ, **engine.ENV}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def kill(self, child: subprocess.Popen[str]) -> None:
        """kill -9 of a `proxyswitch` that was spawned, and of the hook that it waits for."""
        ours = proc.with_environment("PROXYSWITCH_STATE", self.env["PROXYSWITCH_STATE"])
        for process in sorted(ours, key=lambda p: p.start):
            signals.send(process, signals.KILL)
        child.communicate(timeout=LIMIT)

    # what is so

    def show(self, slot: str, name: str) -> str:
        return self.systemctl("show", f"{self.name}@{slot}", f"--property={name}", "--value")

    def instances(self) -> dict[str, str]:
        """The version that proxyswitch sees in each slot; those with none are left out."""
        seen = json.loads(self.run("status", "web", "--json").stdout)
        return {slot["slot"]: slot["version"] for slot in seen["apps"][0]["slots"] if slot["running"]}

    def version(self, port: int = 0) -> str:
        """The version that answers, by nginx or at a port of its own."""
        with urllib.request.urlopen(f"http://{self.systemd.address}:{port or self.port}/", timeout=20) as answer:
            return str(answer.headers["X-Version"])

    def journal(self) -> str:
        """What is not finished."""
        return self.systemd.run("find", f"{self.folder}/state/journal", "-name", "app-*", "-size", "+0", user=self.who)

    def close(self) -> None:
        """End nginx, and whatever units bear the name."""
        self.systemd.exec("sh", "-c", f"kill $(cat {self.folder}/nginx.pid)", user=self.who)
        self.systemd.exec("systemctl", f"--{self.scope}", "kill", "--signal=KILL", f"{self.name}*", user=self.who)
        self.systemd.exec("systemctl", f"--{self.scope}", "disable", "--now", *self._names(), user=self.who)

    def _names(self) -> list[str]:
        return [f"{self.name}@blue", f"{self.name}@green", self.name]


Done = subprocess.CompletedProcess[str]


def eventually(look: Any) -> None:
    """Wait until it is so; a test that waits in vain fails."""
    assert until(lambda: look() or None, LIMIT, longest=0.2) is not None


@contextmanager
def units(systemd: Systemd, name: str, who: str = "root", *, live: str = "1", service: str = "") -> Iterator[Units]:
    """That version is live in slot blue, behind nginx."""
    made = Units(systemd, name, who)
    try:
        made.unit(service)
        made.configure()
        made.nginx()
        if live:
            made.run("start", "web:blue", "--version", live)
        yield made
    finally:
        made.close()


__all__ = ["USER", "Done", "Units", "eventually", "units"]
