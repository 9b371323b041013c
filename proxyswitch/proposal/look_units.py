"""Looks at systemd: the unit files that a person writes, and which unit a process belongs to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from proxyswitch.proposal.seen import Unit
from proxyswitch.system import files, proc

FOLDERS = (
    ("system", "/etc/systemd/system"),
    ("system", "/usr/local/lib/systemd/system"),
    ("user", "~/.config/systemd/user"),
)
PACKAGED = ("/lib/systemd/", "/usr/lib/systemd/", "/dev/")  # /dev/null: a unit that is masked
_START = re.compile(r"^\s*ExecStart\s*=\s*((?:\\\n|.)*)", re.MULTILINE)
_RELOAD = re.compile(r"^\s*ExecReload\s*=\s*\S", re.MULTILINE)
# of the environment nothing but a port is read
_PORT = re.compile(r"^\s*Environment\s*=.*?\b\w*PORT=(\d{1,5})\b", re.MULTILINE)
_NUMBER = re.compile(r"(?<![\w.])(\d{2,5})(?![\w.])")


def units(folders: Iterable[tuple[str, str]] = FOLDERS) -> tuple[Unit, ...]:
    """The services of these folders; what may not be read is left out."""
    found = []
    for scope, folder in folders:
        for path in sorted(Path(folder).expanduser().glob("*.service")):
            if os.path.realpath(path).startswith(PACKAGED):  # another name for a unit of the system's
                continue
            try:
                found.append(_unit(path, scope, files.read(path).decode("utf-8", "replace")))
            except OSError:
                continue
    return tuple(found)


def _unit(path: Path, scope: str, text: str) -> Unit:
    started = " ".join(_START.findall(text))
    ports = {int(number) for number in (*_NUMBER.findall(started), *_PORT.findall(text)) if int(number) <= 65535}
    return Unit(path.name.removesuffix(".service"), scope, str(path), tuple(sorted(ports)), bool(_RELOAD.search(text)))


def unit_of(pid: int, known: Iterable[Unit]) -> Unit | None:
    """The unit whose process it is. That in which we run ourselves is none: it runs a shell, or the jobs of a CI."""
    groups = proc.cgroup(pid)
    found = _named(groups)
    if found is None or found == _named(proc.cgroup(os.getpid())):
        return None
    name, scope = found
    template = name.partition("@")[0] + "@" if "@" in name else name
    unit = next((u for u in known if u.scope == scope and u.name in (name, template)), None)
    return replace(unit, name=name) if unit else Unit(name, scope)


def _named(groups: str) -> tuple[str, str] | None:
    """The name and the scope of a service in /proc/PID/cgroup; a scope, as of a session or a container, is none."""
    paths = [line.split(":", 2)[2] for line in groups.splitlines() if line.startswith("0::") or ":name=systemd:" in line]
    for path in paths:
        parts = path.strip("/").split("/")
        name = next((part for part in reversed(parts) if part.endswith((".service", ".scope"))), "")
        if name.endswith(".service") and not name.startswith("user@"):
            scope = "user" if any(part.startswith("user@") for part in parts) else "system"
            return name.removesuffix(".service"), scope
    return None
