"""Looks at PM2: only at a daemon that an app of a pool belongs to, and at ecosystem files that are data.

An `ecosystem.config.js` is a program: to read it would be to run it, so it is not read.
"""

from __future__ import annotations

import json
import os
import pwd
import re
from pathlib import Path

from proxyswitch.drivers.pm2.client import Client
from proxyswitch.drivers.pm2.worker import Worker
from proxyswitch.errors import ProxyswitchError
from proxyswitch.proposal.seen import EcosystemApp, Pm2App
from proxyswitch.settings_base import Local
from proxyswitch.settings_pm2 import Pm2
from proxyswitch.system import files, proc

DATA = ("ecosystem.config.json", "ecosystem.json", "pm2.json", "process.json")
PROGRAMS = tuple(f"ecosystem.config.{end}" for end in ("js", "cjs", "mjs"))
_DAEMON = re.compile(r"PM2 v\S+: God Daemon \((.+)\)")


def daemon_of(pid: int) -> tuple[str, int] | None:
    """The home and the process of the PM2 that a process descends from."""
    for one in proc.lineage(pid):
        if found := _DAEMON.fullmatch(proc.title(one)):
            return found[1], one
    return None


def apps(home: str, daemon: int) -> tuple[list[Pm2App], list[str]]:
    """What such a PM2 runs; and why it cannot be asked."""
    uid = proc.owner(daemon)
    user = pwd.getpwuid(uid).pw_name if uid is not None and uid != os.geteuid() else ""
    client = Client("init", Pm2(name="init", home=Local(home), user=user))
    try:
        workers = client.workers()
    except ProxyswitchError as error:
        return [], [f"PM2 at {home} was not asked: {error.what}"]
    own = os.environ.get("PM2_HOME") or os.path.expanduser("~/.pm2")
    place = "" if home == own else home
    return [
        _app(name, [w for w in workers if w.name == name], place, user) for name in dict.fromkeys(w.name for w in workers)
    ], []


def _app(name: str, workers: list[Worker], home: str, user: str) -> Pm2App:
    env = workers[0].pm2_env
    port = str(env.PORT or "")
    return Pm2App(
        name,
        env.exec_mode,
        int(port) if port.isdecimal() else 0,
        env.pm_exec_path,
        env.pm_cwd,
        home,
        user,
        tuple(w.pid for w in workers if w.pid),
        env.wait_ready in (True, "true"),
    )


def running(pid: int, port: int, known: list[Pm2App]) -> Pm2App | None:
    """The app of a process; of a daemon that listens for its cluster that with the port, or the only one."""
    line = proc.lineage(pid)
    mine = next((app for app in known if not set(app.pids).isdisjoint(line)), None)
    told = next((app for app in known if port and app.port == port), None)
    return mine or told or (known[0] if len(known) == 1 else None)


def ecosystem(folder: Path) -> tuple[list[EcosystemApp], list[str]]:
    """The apps of the ecosystem files in a folder; and what was not read."""
    found: list[EcosystemApp] = []
    notes = [
        f"{folder / name} was not read: it is a program, and reading it would run it"
        for name in PROGRAMS
        if (folder / name).is_file()
    ]
    for name in DATA:
        try:
            found += _described(json.loads(files.read(folder / name)), str(folder / name))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            notes.append(f"{folder / name} was left out: it is no JSON that can be read")
    return found, notes


def _described(tree: object, path: str) -> list[EcosystemApp]:
    listed = tree.get("apps", []) if isinstance(tree, dict) else tree
    apps = [app for app in (listed if isinstance(listed, list) else [listed]) if isinstance(app, dict)]
    return [EcosystemApp(str(app["name"]), path, _port(app.get("env"))) for app in apps if app.get("name")]


def _port(env: object) -> int:
    """Of the environment nothing else is looked at."""
    text = str(env.get("PORT", "")) if isinstance(env, dict) else ""
    return int(text) if text.isdecimal() else 0
