"""Looks at who listens where the pools send their traffic: command, folder, user, unit, PM2."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from proxyswitch.model import Endpoint
from proxyswitch.proposal import look_pm2, look_units, secrets
from proxyswitch.proposal.seen import Listener, Pm2App, Release, Unit
from proxyswitch.system import proc
from proxyswitch.system.listening import Table

LONGEST = 80
DEPTH = 4


class Listeners:
    """Asks each PM2 once."""

    def __init__(self, table: Table, units: tuple[Unit, ...]) -> None:
        self._table, self._units = table, units
        self._pm2: dict[str, list[Pm2App]] = {}
        self.notes: list[str] = []

    def at(self, endpoint: Endpoint) -> Listener | None:
        """None where nobody listens."""
        if not self._table.taken(endpoint):
            return None
        pids = self._table.pids(endpoint)
        return self._seen(endpoint, pids[0]) if pids else Listener(endpoint)

    def _seen(self, endpoint: Endpoint, pid: int) -> Listener:
        words, cwd = proc.words(pid), proc.link(pid, "cwd")
        shown = secrets.mask(words)
        title = " ".join(shown)
        return Listener(
            endpoint,
            pid,
            title if len(title) <= LONGEST else f"{title[: LONGEST - 1]}…",
            shown if _is_command(words, cwd) else (),
            shown != words,
            cwd,
            _user(pid),
            look_units.unit_of(pid, self._units),
            self._app(pid, endpoint.port),
            release_of(cwd, proc.environment(pid).get("PWD", "")),
        )

    def _app(self, pid: int, port: int) -> Pm2App | None:
        found = look_pm2.daemon_of(pid)
        if found is None:
            return None
        home, daemon = found
        if home not in self._pm2:
            self._pm2[home], notes = look_pm2.apps(home, daemon)
            self.notes += notes
        return look_pm2.running(pid, port, self._pm2[home])


def _is_command(words: tuple[str, ...], cwd: str) -> bool:
    """False for a title that a process has given itself: that does not begin with a program."""
    if not words or "\ufffd" in "".join(words) or (len(words) == 1 and " " in words[0]):
        return False
    return shutil.which(os.path.join(cwd, words[0]) if "/" in words[0] else words[0]) is not None


def _user(pid: int) -> str:
    uid = proc.owner(pid)
    try:
        return pwd.getpwuid(uid).pw_name if uid is not None else ""
    except KeyError:
        return ""


def release_of(cwd: str, pwd: str = "") -> Release | None:
    """Where a link `current` beside or above the folder of a process leads to it, or to a folder around it. `pwd` is the
    name by which it was told its folder."""
    folder = Path(cwd or "/")
    for version in (folder, *folder.parents)[:DEPTH]:
        for place in (version.parent, version.parent.parent):
            link = place / "current"
            try:
                if version != version.parent and link.is_symlink() and link.resolve() == version:
                    inside = str(folder)[len(str(version)) :]
                    return Release(str(link) + inside, str(version.parent / "{version}") + inside, pwd == str(link) + inside)
            except OSError:
                continue
    return None
