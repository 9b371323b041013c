"""`proxyswitch.toml` → frozen settings. Every error names the file, the key's path, and a likely meant key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct, field

from proxyswitch import durations
from proxyswitch.errors import SettingsError
from proxyswitch.model import Endpoint, Slot

Command = str | list[str]
PROXIES = ("haproxy", "nginx")
Percent = Annotated[float, Meta(ge=0, le=100)]


class Seconds(float):
    """A duration in seconds; in the file a number, or text as `30s`, `2m`."""


def seconds(default: float) -> Any:
    """A field of that many seconds."""
    return field(default_factory=lambda: Seconds(default))


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class Health(Section, frozen=True):
    """When an instance counts as healthy. Texts may contain {version}, {slot}, {address}, {host} and {port}."""

    url: str = "http://{address}/"
    status: int | str | list[int] = 200
    body: str = ""
    json: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    host: str = ""
    timeout: Seconds = seconds(2)
    total: Seconds = seconds(60)
    interval: Seconds = seconds(0.5)
    successes: Annotated[int, Meta(ge=1)] = 2
    insecure: bool = False


class Hooks(Section, frozen=True):
    """Commands of the release: an argv list, or a string for `/bin/sh -c`."""

    prepare: Command | None = None
    before_switch: Command | None = None
    after_switch: Command | None = None
    after_release: Command | None = None
    on_failure: Command | None = None
    timeout: Seconds = seconds(600)


class Process(Section, frozen=True):
    """The process driver: the app is a detached process group that we start and stop."""

    command: Command
    cwd: str = ""
    user: str = ""
    umask: Annotated[str, Meta(pattern="^[0-7]{3,4}$")] = ""
    env: dict[str, str] = field(default_factory=dict)
    log_dir: str = ""
    log_keep: Annotated[int, Meta(ge=1)] = 5
    stop_signal: str = "TERM"
    grace: Seconds = seconds(10)
    adopt_port: bool = False


class App(Section, frozen=True):
    """One application: where its versions run, who starts them, and which pool sends them traffic."""

    pool: str
    slots: dict[str, str]
    proxy: str = "nginx"
    driver: str = "process"
    process: Process | None = None
    health: Health | None = None
    hooks: Hooks = field(default_factory=Hooks)
    drain: Seconds = seconds(60)
    watch: Seconds = seconds(3)

    @property
    def places(self) -> tuple[Slot, ...]:
        return tuple(Slot(name, Endpoint.parse(address)) for name, address in self.slots.items())


class Nginx(Section, frozen=True):
    """Where nginx is, when it cannot be found, and how long a reload may take."""

    conf: str = ""
    binary: str = ""
    reload_timeout: Seconds = seconds(10)
    max_old_workers: Annotated[int, Meta(ge=1)] = 64


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


def suggest(word: str, known: Mapping[str, object] | list[str]) -> str:
    """`: did you mean …?`, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), 1, 0.6)
    return f": did you mean {close[0]!r}?" if close else ""


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
    apps = tree.pop("apps", {})
    if not isinstance(apps, dict):
        raise SettingsError(f"{path}: apps: expected a table of apps, as [apps.web]")
    if "path" in tree:
        raise SettingsError(f"{path}: path: unknown key")
    settings: Settings = _convert(tree, Settings, path, "")
    known = {name: _absolute(_app(value, path, name), Path(path).absolute().parent) for name, value in apps.items()}
    return msgspec.structs.replace(settings, apps=known, path=path)


def _convert(tree: object, kind: type[Any], path: str, prefix: str) -> Any:
    try:
        return msgspec.convert(tree, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {_explain(_with_key(str(error), tree), kind, prefix)}") from None


def _decode(kind: type[Any], value: object) -> object:
    if kind is not Seconds:
        raise NotImplementedError
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return Seconds(value)
    if not isinstance(value, str):
        raise ValueError("expected a duration: seconds, or as 500ms, 30s, 2m, 1h")
    return Seconds(durations.parse(value))


_AT = re.compile(r" - at `(?:key in )?\$?\.?([^`]*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")


def _with_key(message: str, tree: Any) -> str:
    """msgspec says `[...]` for a key that the person chose, as in env or slots: all of those tables hold texts."""
    at = _AT.search(message)
    table, found, _ = at[1].partition("[...]") if at else ("", "", "")
    if not found:
        return message
    for key in table.split("."):
        tree = tree[key]
    wrong = next(key for key, value in tree.items() if not isinstance(value, str))
    return message.replace("[...]", f".{wrong}")


def _explain(message: str, kind: type[Any], prefix: str) -> str:
    """msgspec's sentence in the words of the file: the path of the key first."""
    at = _AT.search(message)
    inner = at[1] if at else ""
    what = _AT.sub("", message)
    where = ".".join(p for p in (prefix, inner) if p)
    unknown, missing = _UNKNOWN.match(what), _MISSING.match(what)
    if unknown:
        fields = list(_struct_at(kind, inner).__struct_fields__)
        return f"{_join(where, unknown[1])}: unknown key{suggest(unknown[1], fields)}"
    if missing:
        return f"{_join(where, missing[1])}: this key is required"
    return f"{where}: {what[:1].lower()}{what[1:]}" if where else what


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _struct_at(kind: type[Any], inner: str) -> type[Any]:
    """The struct that a path of keys leads to."""
    for key in filter(None, inner.split(".")):
        hint = get_type_hints(kind)[key]
        options = [hint, *get_args(hint)] if get_origin(hint) else [hint]
        kind = next((o for o in options if isinstance(o, type) and issubclass(o, Struct)), kind)
    return kind


def _app(tree: object, path: str, name: str) -> App:
    prefix = f"apps.{name}"
    app: App = _convert(tree, App, path, prefix)
    for problem in _app_problems(app):
        raise SettingsError(f"{path}: {prefix}.{problem}")
    return app


def _absolute(app: App, folder: Path) -> App:
    """Folders of the app count from that of the settings file; it runs there when no other is named."""
    if app.process is None:
        return app
    cwd = folder / app.process.cwd
    log_dir = str(folder / app.process.log_dir) if app.process.log_dir else ""
    process = msgspec.structs.replace(app.process, cwd=str(cwd), log_dir=log_dir)
    return msgspec.structs.replace(app, process=process)


def _app_problems(app: App) -> Iterator[str]:
    """What the types cannot say."""
    yield from _slot_problems(app)
    if app.proxy not in PROXIES:
        yield f"proxy: unknown proxy {app.proxy!r}; known: {', '.join(PROXIES)}"
    if app.driver != "process":
        yield f"driver: unknown driver {app.driver!r}; known: process"
    if app.process is None:
        yield 'process: this table is required by driver = "process", with at least a command'
    elif not app.process.command:
        yield "process.command: must not be empty"
    if app.health:
        yield from _health_problems(app.health)


def _slot_problems(app: App) -> Iterator[str]:
    if not app.slots:
        yield 'slots: at least one slot is needed, as blue = "127.0.0.1:3001"'
    seen: dict[Endpoint, str] = {}
    for name, address in app.slots.items():
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            yield f"slots.{name}: the name of a slot is made of letters, digits, - and _"
        try:
            endpoint = Endpoint.parse(address)
        except ValueError as error:
            yield f"slots.{name}: {error}"
            continue
        if endpoint in seen:
            yield f"slots.{name}: the same address as slot {seen[endpoint]!r}"
        seen[endpoint] = name


def _health_problems(health: Health) -> Iterator[str]:
    scheme = health.url.partition("://")[0]
    if scheme not in ("http", "https", "tcp", "unix"):
        yield f"health.url: {health.url!r} must begin with http://, https://, tcp:// or unix://"
    try:
        statuses(health.status)
    except ValueError as error:
        yield f"health.status: {error}"


def statuses(wanted: int | str | list[int]) -> frozenset[int]:
    """The HTTP statuses that count as healthy: 200, [200, 204] or \"200-299,304\". Raises ValueError."""
    if isinstance(wanted, int):
        wanted = [wanted]
    if isinstance(wanted, str):
        wanted = [s for part in wanted.split(",") for s in _range(part.strip())]
    if not wanted or not all(100 <= s <= 599 for s in wanted):
        raise ValueError('expected HTTP statuses from 100 to 599, as 200, [200, 204] or "200-299"')
    return frozenset(wanted)


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        raise ValueError(f"{text!r} is no HTTP status and no range as 200-299")
    return range(int(first), int(last or first) + 1)


def schema() -> dict[str, Any]:
    """The JSON schema of the file (draft 2020-12)."""

    def hook(kind: type[Any]) -> dict[str, Any]:
        if kind is Seconds:
            text = {"type": "string", "pattern": f"^{durations.PATTERN}$"}
            return {"anyOf": [{"type": "number", "minimum": 0}, text]}
        raise NotImplementedError

    tree = msgspec.json.schema(Settings, schema_hook=hook)
    tree["$defs"]["Settings"]["properties"].pop("path")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "proxyswitch.toml", **tree}
