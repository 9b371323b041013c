"""`proxyswitch.toml` → frozen settings. Every error names the file, the key's path, and a likely meant key."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from proxyswitch import durations
from proxyswitch.errors import SettingsError
from proxyswitch.settings_app import App, Health, Hooks, only_runner, problems, statuses
from proxyswitch.settings_base import Bytes, Command, Local, Percent, Seconds, Section, absolute, seconds, suggest
from proxyswitch.settings_convert import convert
from proxyswitch.settings_lint import Lint, lint_faults
from proxyswitch.settings_notify import Metrics, Notify, metrics_faults
from proxyswitch.settings_notify import faults as notify_faults
from proxyswitch.settings_runners import RUNNERS

__all__ = [
    "App",
    "Health",
    "Hooks",
    "Lint",
    "Local",
    "Metrics",
    "Notify",
    "Seconds",
    "Settings",
    "faults",
    "load",
    "parse",
    "schema",
    "statuses",
    "suggest",
]


class Nginx(Section, frozen=True):
    """Where nginx is, when it cannot be found or runs in a container, and how long a reload may take."""

    conf: str = ""
    binary: str = ""
    exec: Command = ""
    paths: dict[str, str] = field(default_factory=dict)
    reload_timeout: Seconds = seconds(10)
    max_old_workers: Annotated[int, Meta(ge=1)] = 64

    def __post_init__(self) -> None:
        words = self.words
        if self.paths and not words:
            raise ValueError("paths is for an nginx in a container, and exec is missing")
        for inside in self.paths:
            if not inside.startswith("/"):
                raise ValueError(f"paths: {inside} is no path inside a container: it must begin with a slash")

    @property
    def words(self) -> tuple[str, ...]:
        """What stands before a command that is to run in nginx's container. Raises ValueError for an open quote."""
        try:
            return tuple(shlex.split(self.exec) if isinstance(self.exec, str) else self.exec)
        except ValueError as error:
            raise ValueError(f"exec: {str(error).lower()}: {self.exec}") from None


class Haproxy(Section, frozen=True):
    """Where HAProxy is, when it cannot be found: its config files, its runtime socket; how long a reload may take."""

    conf: str | list[str] = ""
    socket: str = ""
    binary: str = ""
    reload_timeout: Seconds = seconds(10)

    @property
    def files(self) -> tuple[str, ...]:
        return tuple([self.conf] if isinstance(self.conf, str) else self.conf) or ("",)


class Settings(Section, frozen=True):
    """The whole file."""

    apps: dict[str, App] = field(default_factory=dict)
    nginx: Nginx = field(default_factory=Nginx)
    haproxy: Haproxy = field(default_factory=Haproxy)
    notify: list[Notify] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)
    lint: Lint = field(default_factory=Lint)
    path: str = ""

    def app(self, name: str) -> App:
        """The app of that name. Raises SettingsError, with the name that was likely meant."""
        try:
            return self.apps[name]
        except KeyError:
            hint = suggest(name, self.apps) or _known(self.apps)
            raise SettingsError(f"no app {name!r} in {self.path or 'the settings'}{hint}") from None


def _known(names: Mapping[str, object]) -> str:
    return f"; there is {', '.join(sorted(names))}" if names else "; it describes no app yet"


def load(path: Path | None) -> Settings:
    """Read the file; no file gives the defaults. Raises SettingsError."""
    if path is None:
        return Settings()
    try:
        return parse(path.read_bytes(), str(path))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error


def parse(data: bytes, path: str) -> Settings:
    """Settings from the bytes of a file. Raises SettingsError with the key's path."""
    try:
        tree = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    return _read(tree, path)


def faults(tree: Mapping[str, Any], path: str) -> Iterator[str]:
    """What is wrong in a file, as `key: what`: the first mistake of each table, and of each app."""
    apps = tree.get("apps", {})
    parts = [{"apps": {name: app}} for name, app in apps.items()] if isinstance(apps, dict) else [{"apps": apps}]
    good: dict[str, Any] = {}
    for part in (*parts, *({"apps": good, key: value} for key, value in tree.items() if key != "apps")):
        try:
            _read(part, path)
        except SettingsError as error:
            yield error.what.removeprefix(f"{path}: ")
        else:
            good |= part["apps"]


def _read(tree: Mapping[str, Any], path: str) -> Settings:
    tree = dict(tree)
    apps = tree.pop("apps", {})
    if not isinstance(apps, dict):
        raise SettingsError(f"{path}: apps: expected a table of apps, as [apps.web]")
    if isinstance(tree.get("notify"), dict):
        raise SettingsError(f"{path}: notify: expected tables, as [[notify]]: there may be several")
    if "path" in tree:
        raise SettingsError(f"{path}: path: unknown key")
    settings: Settings = convert(tree, Settings, path, "")
    folder = Path(path).absolute().parent
    known = {name: _absolute(_app(value, path, name), folder) for name, value in apps.items()}
    for problem in _faults(settings, known):
        raise SettingsError(f"{path}: {problem}")
    return msgspec.structs.replace(
        settings,
        apps=known,
        notify=[absolute(entry, folder) for entry in settings.notify],
        metrics=absolute(settings.metrics, folder),
        path=path,
    )


def _app(tree: object, path: str, name: str) -> App:
    prefix = f"apps.{name}"
    if isinstance(tree, dict):
        tree = {"driver": only_runner(tree), **tree}
    app: App = convert(tree, App, path, prefix)
    for problem in problems(app):
        raise SettingsError(f"{path}: {prefix}.{problem}")
    return app


def _faults(settings: Settings, apps: Mapping[str, App]) -> Iterator[str]:
    """What types cannot say, of all tables but the apps."""
    for number, entry in enumerate(settings.notify, 1):
        yield from (f"notify {number}.{fault}" for fault in notify_faults(entry, apps))
    yield from (f"metrics.{fault}" for fault in metrics_faults(settings.metrics))
    yield from (f"lint.{fault}" for fault in lint_faults(settings.lint))


def _absolute(app: App, folder: Path) -> App:
    """Folders of the app count from that of the settings file; it runs there when no other is named."""
    tables = {name: getattr(app, name) for name in RUNNERS}
    return msgspec.structs.replace(app, **{name: absolute(table, folder) for name, table in tables.items() if table})


def schema() -> dict[str, Any]:
    """The JSON schema of the file (draft 2020-12)."""

    def hook(kind: type[Any]) -> dict[str, Any]:
        if kind is Seconds:
            text = {"type": "string", "pattern": f"^{durations.PATTERN}$"}
            return {"anyOf": [{"type": "number", "minimum": 0}, text]}
        if kind is Bytes:
            return {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^{Bytes.PATTERN}$"}]}
        if kind is Local:
            return {"type": "string"}
        if kind is Percent:
            return {"type": "string", "pattern": f"^{Percent.PATTERN}$"}
        raise NotImplementedError

    tree = msgspec.json.schema(Settings, schema_hook=hook)
    tree["$defs"]["Settings"]["properties"].pop("path")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "proxyswitch.toml", **tree}
