"""Looks at Docker: what its containers, the services of a swarm, and a compose file publish. No environment is read."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import msgspec

from proxyswitch.drivers import _docker
from proxyswitch.drivers.compose.project import NAMES, Project
from proxyswitch.errors import ProxyswitchError
from proxyswitch.proposal import compose_text
from proxyswitch.proposal.seen import Service
from proxyswitch.settings_base import Local
from proxyswitch.settings_runners import Compose
from proxyswitch.system import files, run

LIMIT = 10.0
_PUBLISHED = re.compile(r"[:*](\d+)(?:-(\d+))?->")
_LABEL = '{{{{.Label "com.docker.{}"}}}}'
_LABELS = ("compose.service", "compose.project", "compose.project.config_files", "compose.project.working_dir")
_PS = "\t".join(("{{.Image}}", "{{.Ports}}", *(_LABEL.format(label) for label in (*_LABELS, "swarm.service.name"))))
_LS = "{{.Name}}\t{{.Image}}\t{{.Ports}}"


def running() -> tuple[list[Service], list[str]]:
    """What runs; and why it could not be asked. Nothing where there is no Docker."""
    if not shutil.which("docker"):
        return [], []
    result = run.run(_docker.docker("ps", "--no-trunc", "--format", _PS, timeout=LIMIT))
    if not result.ok:
        return [], ["Docker was not asked: it does not answer, or this user may not talk to it"]
    services = run.run(_docker.docker("service", "ls", "--format", _LS, timeout=LIMIT))
    lines = services.out.splitlines() if services.ok else []
    return [*_swarm(lines), *(s for line in result.out.splitlines() if (s := _container(line)))], []


def _ports(text: str) -> tuple[int, ...]:
    ranges = ((int(first), int(last or first)) for first, last in _PUBLISHED.findall(text))
    return tuple(sorted({port for first, last in ranges for port in range(first, last + 1)}))


def _swarm(lines: list[str]) -> list[Service]:
    rows = [line.split("\t") for line in lines]
    return [Service(row[0], _ports(row[2]), image=row[1], swarm=True) for row in rows if len(row) == 3]


def _container(line: str) -> Service | None:
    """A container that compose or a swarm has made."""
    row = line.split("\t")
    if len(row) != 7:
        return None
    image, ports, service, project, named, folder, task = row
    if task:
        return Service(task, _ports(ports), image=image, swarm=True)
    if not service:
        return None
    usual = re.sub(r"[^a-z0-9_-]", "", os.path.basename(folder).lower())
    known = tuple(os.path.join(folder, name) for name in named.split(",") if name)
    return Service(service, _ports(ports), known or (folder,), image, "" if project == usual else project)


# a compose file, of which nothing need run


class _Port(msgspec.Struct):
    published: object = ""


class _Service(msgspec.Struct):
    image: str = ""
    ports: list[_Port] = []


class _Model(msgspec.Struct):
    services: dict[str, _Service] = {}


def described(folder: Path) -> list[Service]:
    """The services of the compose file of a folder, as compose understands it; else as far as it reads plainly."""
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if path is None:
        return []
    model = _model(path)
    if model is None:
        try:
            return compose_text.services(files.read_text(path), str(path))
        except OSError:
            return []
    rows = ((name, s, [int(str(p.published)) for p in s.ports if str(p.published).isdecimal()]) for name, s in model.items())
    return [Service(name, tuple(ports), (str(path),), s.image) for name, s, ports in rows]


def _model(path: Path) -> dict[str, _Service] | None:
    """None where compose is not there, or refuses the file: what it says then may hold values of variables."""
    project = Project(Compose(service="all", files=[Local(path)]), path)
    try:
        words = project.argv("--profile", "*", "config", "--format", "json", override=False)
        result = run.run(run.Command(words, LIMIT, cwd=str(path.parent)))
        return msgspec.json.decode(result.out, type=_Model).services if result.ok else None
    except (ProxyswitchError, msgspec.MsgspecError):
        return None
