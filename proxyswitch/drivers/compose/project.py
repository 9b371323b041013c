"""A compose project: which files and which program it is, and what is run on it, as argv values."""

from __future__ import annotations

import functools
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from proxyswitch.drivers._docker import INSTALL, attempt, docker
from proxyswitch.drivers._words import fill
from proxyswitch.drivers.compose.container import VERSION
from proxyswitch.errors import UsageError
from proxyswitch.model import Slot
from proxyswitch.settings_runners import Compose
from proxyswitch.system import run

# What compose looks for, and what it reads besides, unasked.
NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = tuple(f"{stem}.override.{end}" for stem in ("compose", "docker-compose") for end in ("yml", "yaml"))
MARK = "PROXYSWITCH_COMPOSE"  # in the environment of each compose command of ours: by it one that was left is found
V1, V2 = ("docker-compose",), ("docker", "compose")
Argv = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A version for one service. `image`: a name, or the ID of exactly what is to run; empty: as the compose file says."""

    service: str
    version: str
    image: str = ""

    def override(self) -> dict[str, Any]:
        """What is laid over the compose file: JSON, which is YAML too. An ID is never pulled."""
        service: dict[str, Any] = {"labels": {VERSION: _literal(self.version)}}
        if self.image:
            service["image"] = _literal(self.image)
        if self.image.startswith("sha256:"):
            service["pull_policy"] = "never"
        return {"services": {self.service: service}}


def _literal(text: str) -> str:
    """A text in which compose replaces nothing."""
    return text.replace("$", "$$")


def up(service: str) -> Argv:
    """Start that service, anew, and no other."""
    return ("up", "-d", "--no-deps", "--no-build", "--quiet-pull", "--force-recreate", service)


def beside(service: str, count: int) -> Argv:
    """Start one more container of that service; those that run stay as they are."""
    scale = ("--scale", f"{service}={count}")
    return ("up", "-d", "--no-deps", "--no-build", "--quiet-pull", "--no-recreate", *scale, service)


@dataclass(frozen=True, slots=True)
class Project:
    """`override` is a file that compose reads behind the person's own."""

    settings: Compose
    override: Path

    @property
    def files(self) -> Argv:
        """The compose files; of a folder those that compose itself would take. Raises UsageError when one is missing."""
        return tuple(str(path) for file in self.settings.files for path in _files(Path(file)))

    @property
    def folder(self) -> str:
        """The folder of the project: that of the first file. The file itself need not be there."""
        first = os.path.abspath(self.settings.files[0])
        return os.path.realpath(first if os.path.isdir(first) else os.path.dirname(first))

    @property
    def program(self) -> Argv:
        return {"docker compose": V2, "docker-compose": V1}.get(self.settings.program) or _program()

    def argv(self, *words: str, override: bool = True) -> Argv:
        named = ("-p", self.settings.project) if self.settings.project else ()
        files = (*self.files, str(self.override)) if override else self.files
        return (*self.program, *named, *(word for file in files for word in ("-f", file)), *words)

    def command(self, slot: Slot, version: str, *words: str, override: bool = True) -> run.Command:
        """A command on the project; the version reaches the compose file by APP_VERSION, and by `env` of the settings."""
        env = {key: fill(value, slot, version) for key, value in self.settings.env.items()}
        env = {"APP_VERSION": version} | env | {MARK: self.mark}
        return run.Command(self.argv(*words, override=override), float(self.settings.timeout), self.folder, env)

    @property
    def mark(self) -> str:
        return os.path.realpath(self.override)

    def model(self, slot: Slot, service: str) -> dict[str, Any] | None:
        """The project as compose understands it, with that service in it; never shown, since it has the values of all
        variables. None where compose is version 1, which tells nothing in JSON. Raises UsageError."""
        words = ("config", "--format", "json", service) if self.program == V2 else ("config", "-q")
        command = self.command(slot, "0", *words, override=False)
        result = attempt(command)
        if not result.ok:
            said = (result.err.strip().splitlines() or [result.reason()])[-1]
            raise UsageError(
                f"{', '.join(self.files)}: compose cannot use it: {said}", next_step="see: docker compose config"
            )
        model: dict[str, Any] | None = msgspec.json.decode(result.out) if self.program == V2 else None
        return model

    def about(self) -> str:
        result = attempt(run.Command((*self.program, "version", "--short")))
        return f"Compose {result.out.strip() or result.reason()} ({' '.join(self.program)})"

    def write(self, wanted: Wanted) -> bytes:
        return json.dumps(wanted.override(), indent=1).encode()


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.exists():
            raise UsageError(f"there is no compose file {path}", next_step="name it: files = in the table compose")
        return [path]
    found = _first(path, NAMES)
    if not found:
        raise UsageError(f"there is no compose file in {path}", next_step="name it: files = in the table compose")
    return found + _first(path, OVERRIDES)


def _first(folder: Path, names: tuple[str, ...]) -> list[Path]:
    return [folder / name for name in names if (folder / name).exists()][:1]


@functools.cache
def _program() -> Argv:
    """Version 2, a plugin of docker, where it is there; else version 1."""
    if shutil.which("docker") and attempt(docker("compose", "version", "--short")).ok:
        return V2
    if shutil.which("docker-compose"):
        return V1
    raise UsageError("there is no Docker Compose on this machine", next_step=INSTALL)
