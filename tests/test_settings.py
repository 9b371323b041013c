"""`proxyswitch.toml`: every key, every mistake with the path of its key, where the file is found, and its schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from proxyswitch import settings, settings_file
from proxyswitch.errors import SettingsError
from proxyswitch.model import Endpoint, Slot
from tests.conftest import REPO

SMALL = """
[apps.web]
pool = "app_backend"
slots = { blue = "127.0.0.1:3001", green = "127.0.0.1:3002" }
process = { command = ["run"] }
"""

FULL = """
[nginx]
conf = "/opt/nginx.conf"
binary = "/opt/nginx"
reload_timeout = "15s"
max_old_workers = 8

[haproxy]
conf = ["/opt/haproxy.cfg", "/opt/conf.d"]
socket = "/run/haproxy/admin.sock"
binary = "/opt/haproxy"
reload_timeout = "20s"

[apps.web]
pool = "app_backend"
proxy = "nginx"
driver = "process"
drain = "2m"
watch = 0

[apps.web.slots]
blue = "127.0.0.1:3001"
green = "unix:/run/green.sock"

[apps.web.process]
command = "exec run --port $PORT"
cwd = "srv"
user = "www-data"
umask = "027"
env = { A = "{version}" }
log_dir = "/var/log/web"
log_keep = 3
stop_signal = "INT"
grace = "1m"
adopt_port = true

[apps.web.health]
url = "http://{address}/health"
status = "200-299,304"
body = "ok"
json = { status = "healthy", deep = { n = 1 }, list = [1] }
headers = { X-Probe = "1" }
host = "example.com"
timeout = "500ms"
total = 90
interval = 0.25
successes = 3
insecure = true

[apps.web.hooks]
prepare = ["make", "assets"]
before_switch = "true && true"
after_switch = ["a"]
after_release = ["b"]
on_failure = "c"
timeout = "1h"
"""


def parse(text: str, path: str = "/srv/proxyswitch.toml") -> settings.Settings:
    return settings.parse(text.encode(), path)


def failure(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(text)
    assert caught.value.exit_code == 2
    assert caught.value.what.startswith("/srv/proxyswitch.toml: ")
    return caught.value.what.removeprefix("/srv/proxyswitch.toml: ")


def edited(old: str, new: str, text: str = FULL) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


# what is in it


def test_every_key_is_read() -> None:
    assert parse(FULL) == settings.Settings(
        path="/srv/proxyswitch.toml",
        nginx=settings.Nginx(
            conf="/opt/nginx.conf", binary="/opt/nginx", reload_timeout=settings.Seconds(15), max_old_workers=8
        ),
        haproxy=settings.Haproxy(
            conf=["/opt/haproxy.cfg", "/opt/conf.d"],
            socket="/run/haproxy/admin.sock",
            binary="/opt/haproxy",
            reload_timeout=settings.Seconds(20),
        ),
        apps={
            "web": settings.App(
                pool="app_backend",
                slots={"blue": "127.0.0.1:3001", "green": "unix:/run/green.sock"},
                drain=settings.Seconds(120),
                watch=settings.Seconds(0),
                process=settings.Process(
                    command="exec run --port $PORT",
                    cwd="/srv/srv",
                    user="www-data",
                    umask="027",
                    env={"A": "{version}"},
                    log_dir="/var/log/web",
                    log_keep=3,
                    stop_signal="INT",
                    grace=settings.Seconds(60),
                    adopt_port=True,
                ),
                health=settings.Health(
                    url="http://{address}/health",
                    status="200-299,304",
                    body="ok",
                    json={"status": "healthy", "deep": {"n": 1}, "list": [1]},
                    headers={"X-Probe": "1"},
                    host="example.com",
                    timeout=settings.Seconds(0.5),
                    total=settings.Seconds(90),
                    interval=settings.Seconds(0.25),
                    successes=3,
                    insecure=True,
                ),
                hooks=settings.Hooks(
                    prepare=["make", "assets"],
                    before_switch="true && true",
                    after_switch=["a"],
                    after_release=["b"],
                    on_failure="c",
                    timeout=settings.Seconds(3600),
                ),
            )
        },
    )


def test_the_example_above_has_every_key() -> None:
    """Whoever adds a key adds it to FULL, and so to the tests of parser and schema."""
    app = parse(FULL).apps["web"]
    tables = [parse(FULL).nginx, parse(FULL).haproxy, app, app.process, app.health, app.hooks]
    unnamed = [name for table in tables if table for name in table.__struct_fields__ if f"{name} = " not in FULL]
    assert [name for name in unnamed if f"[apps.web.{name}]" not in FULL] == []


def test_what_is_not_said_has_its_default() -> None:
    app = parse(SMALL).app("web")
    assert (app.proxy, app.driver, app.health) == ("nginx", "process", None)
    assert (float(app.drain), float(app.watch)) == (60, 3)
    assert app.process
    assert (float(app.process.grace), app.process.log_keep, app.process.stop_signal) == (10, 5, "TERM")
    assert settings.load(None) == settings.Settings()


@pytest.mark.parametrize(
    ("conf", "files"), [('"/a.cfg"', ("/a.cfg",)), ('["/a.cfg", "/b"]', ("/a.cfg", "/b")), ("[]", ("",)), ('""', ("",))]
)
def test_the_config_of_haproxy_is_a_file_or_several(conf: str, files: tuple[str, ...]) -> None:
    assert parse(f"[haproxy]\nconf = {conf}\n").haproxy.files == files


def test_slots_are_places_in_their_order() -> None:
    assert parse(FULL).app("web").places == (
        Slot("blue", Endpoint("127.0.0.1", 3001)),
        Slot("green", Endpoint(path="/run/green.sock")),
    )


@pytest.mark.parametrize(
    ("cwd", "real"), [("", "/srv"), ('cwd = "."', "/srv"), ('cwd = "app"', "/srv/app"), ('cwd = "/opt"', "/opt")]
)
def test_folders_count_from_that_of_the_file(cwd: str, real: str) -> None:
    process = parse(f'{SMALL.replace("process", "#")}\n[apps.web.process]\ncommand = "x"\n{cwd}\n').app("web").process
    assert process
    assert Path(process.cwd) == Path(real)


def test_a_relative_file_name_does_not_make_folders_relative(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    found = parse(edited('log_dir = "/var/log/web"', 'log_dir = "log"'), "proxyswitch.toml").app("web").process
    assert found
    assert (found.cwd, found.log_dir) == (str(tmp_path / "srv"), str(tmp_path / "log"))


@pytest.mark.parametrize(
    ("text", "seconds"), [('"30s"', 30), ('"2m"', 120), ('"1h"', 3600), ('"500ms"', 0.5), ("7", 7), ("0.5", 0.5), ('"7"', 7)]
)
def test_durations(text: str, seconds: float) -> None:
    assert float(parse(edited('drain = "2m"', f"drain = {text}")).app("web").drain) == seconds


# mistakes


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'reload_timeout = "15s"',
            'reload_timout = "15s"',
            "nginx.reload_timout: unknown key: did you mean 'reload_timeout'?",
        ),
        ("socket =", "sockets =", "haproxy.sockets: unknown key: did you mean 'socket'?"),
        ("[haproxy]", "[haprox]", "haprox: unknown key: did you mean 'haproxy'?"),
        ('"/opt/conf.d"]', "1]", "haproxy.conf[1]: expected `str`, got `int`"),
        ("[nginx]", "[ngimx]", "ngimx: unknown key: did you mean 'nginx'?"),
        ("max_old_workers = 8", "zzz = 8", "nginx.zzz: unknown key"),
        ("drain =", "drian =", "apps.web.drian: unknown key: did you mean 'drain'?"),
        ("grace", "grase", "apps.web.process.grase: unknown key: did you mean 'grace'?"),
        ("successes", "success", "apps.web.health.success: unknown key: did you mean 'successes'?"),
        ("on_failure", "on_failed", "apps.web.hooks.on_failed: unknown key: did you mean 'on_failure'?"),
        ('pool = "app_backend"', "", "apps.web.pool: this key is required"),
        ('command = "exec run --port $PORT"', "", "apps.web.process.command: this key is required"),
        ('pool = "app_backend"', "pool = 3", "apps.web.pool: expected `str`, got `int`"),
        ('drain = "2m"', 'drain = "soon"', "apps.web.drain: 'soon' is no duration: expected seconds, or as"),
        ('drain = "2m"', "drain = true", "apps.web.drain: expected a duration"),
        ('drain = "2m"', "drain = -1", "apps.web.drain: expected a duration"),
        ("adopt_port = true", "adopt_port = 1", "apps.web.process.adopt_port: expected `bool`, got `int`"),
        ('umask = "027"', 'umask = "0o27"', "apps.web.process.umask: expected `str` matching regex"),
        ("log_keep = 3", "log_keep = 0", "apps.web.process.log_keep: expected `int` >= 1"),
        ("max_old_workers = 8", "max_old_workers = 0", "nginx.max_old_workers: expected `int` >= 1"),
        (
            'env = { A = "{version}" }',
            "env = { A = '1', PORT = 3001 }",
            "apps.web.process.env.PORT: expected `str`, got `int`",
        ),
        ('blue = "127.0.0.1:3001"', "blue = 3001", "apps.web.slots.blue: expected `str`, got `int`"),
        (
            'headers = { X-Probe = "1" }',
            "headers = { X-Probe = 1 }",
            "apps.web.health.headers.X-Probe: expected `str`, got `int`",
        ),
        ('["make", "assets"]', '["make", 1]', "apps.web.hooks.prepare[1]: expected `str`, got `int`"),
        ('command = "exec run --port $PORT"', "command = []", "apps.web.process.command: must not be empty"),
        ('command = "exec run --port $PORT"', 'command = ""', "apps.web.process.command: must not be empty"),
        ('proxy = "nginx"', 'proxy = "caddy"', "apps.web.proxy: unknown proxy 'caddy'; known: haproxy, nginx"),
        ('driver = "process"', 'driver = "pm3"', "apps.web.driver: unknown driver 'pm3'; known: process"),
        ('blue = "127.0.0.1:3001"', 'blue = "3001"', "apps.web.slots.blue: '3001' is no address"),
        ('blue = "127.0.0.1:3001"', 'blue = "127.0.0.1:99999"', "apps.web.slots.blue: '127.0.0.1:99999': port 99999 is out"),
        ('blue = "127.0.0.1:3001"', '"a b" = "127.0.0.1:3001"', "apps.web.slots.a b: the name of a slot is made of"),
        (
            'blue = "127.0.0.1:3001"',
            'blue = "unix:/run/green.sock"',
            "apps.web.slots.green: the same address as slot 'blue'",
        ),
        ('"http://{address}/health"', '"ftp://x"', "apps.web.health.url: 'ftp://x' must begin with http://"),
        ('"200-299,304"', '"2xx"', "apps.web.health.status: '2xx' is no HTTP status and no range"),
        ('"200-299,304"', "[]", "apps.web.health.status: expected HTTP statuses from 100 to 599"),
        ('"200-299,304"', "99", "apps.web.health.status: expected HTTP statuses from 100 to 599"),
    ],
)
def test_a_mistake_names_the_path_of_its_key(old: str, new: str, message: str) -> None:
    said = failure(edited(old, new))
    assert said.startswith(message), said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apps = 3", "apps: expected a table of apps, as [apps.web]"),
        ("[apps]\nweb = 3", "apps.web: expected `object`, got `int`"),
        ('path = "/x"', "path: unknown key"),
        ("[apps.web", "not valid TOML: "),
        ("a = '\ud800'", "not valid TOML: "),
        (SMALL.replace("{ blue", "{} #"), 'apps.web.slots: at least one slot is needed, as blue = "127.0.0.1:3001"'),
        (SMALL.replace("process", "#"), 'apps.web.process: this table is required by driver = "process"'),
    ],
)
def test_what_is_no_settings_file(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(text.encode("utf-8", "surrogatepass"), "/srv/proxyswitch.toml")
    assert caught.value.what.startswith(f"/srv/proxyswitch.toml: {message}"), caught.value.what


def test_an_app_that_is_not_there() -> None:
    for name, hint in (("wep", ": did you mean 'web'?"), ("zzz", "; there is web")):
        with pytest.raises(SettingsError) as caught:
            parse(SMALL).app(name)
        assert caught.value.what == f"no app {name!r} in /srv/proxyswitch.toml{hint}"
    with pytest.raises(SettingsError, match="no app 'web' in the settings; it describes no app yet"):
        settings.Settings().app("web")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"Is a directory"):
        settings.load(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "found"), [(204, {204}), ([200, 204], {200, 204}), ("200-202, 304", {200, 201, 202, 304})]
)
def test_statuses(wanted: int | str | list[int], found: set[int]) -> None:
    assert settings.statuses(wanted) == found


# where it is


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings_file, "SYSTEM_FOLDER", tmp_path / "etc")
    for name in ("etc", "work/deep", "other"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def test_the_nearest_file_counts_and_what_is_named_counts_more(folder: Path) -> None:
    deep = folder / "work" / "deep"

    def find(given: str = "", **environment: str) -> Path | None:
        return settings_file.find(given, environment, deep)

    assert find() is None
    for place in ("etc", "work", "work/deep"):  # each is nearer than the one before
        path = folder / place / "proxyswitch.toml"
        path.touch()
        assert find() == path
    named, option = folder / "other" / "mine.toml", folder / "other" / "option.toml"
    named.touch()
    option.touch()
    assert find(PROXYSWITCH_CONFIG=str(named)) == named
    assert find(str(option), PROXYSWITCH_CONFIG=str(named)) == option
    assert find(PROXYSWITCH_CONFIG="") == deep / "proxyswitch.toml"


def test_a_file_that_was_named_must_be_there(folder: Path) -> None:
    (folder / "etc" / "proxyswitch.toml").touch()
    for given, environment in (("gone.toml", {}), ("", {"PROXYSWITCH_CONFIG": "gone.toml"})):
        with pytest.raises(SettingsError, match=r"gone\.toml: no such settings file"):
            settings_file.find(given, environment, folder)


def test_a_folder_of_that_name_is_no_file(folder: Path) -> None:
    (folder / "work" / "proxyswitch.toml").mkdir()
    (folder / "proxyswitch.toml").touch()
    assert settings_file.find("", {}, folder / "work") == folder / "proxyswitch.toml"


# the schema


def tree(text: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(text)


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = settings.schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_schema_accepts_good_files(validator: Any) -> None:
    for text in ("", SMALL, FULL):
        validator.validate(tree(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("drain =", "drian ="),
        ("grace", "grase"),
        ("[nginx]", "[ngimx]"),
        ('pool = "app_backend"', ""),
        ('pool = "app_backend"', "pool = 3"),
        ('drain = "2m"', 'drain = "soon"'),
        ('drain = "2m"', "drain = -1"),
        ("log_keep = 3", "log_keep = 0"),
        ('umask = "027"', 'umask = "0o27"'),
        ('env = { A = "{version}" }', "env = { A = 1 }"),
        ('conf = "', "path = '/x'\nconf = \""),
        ('socket = "/run/haproxy/admin.sock"', "socket = 1"),
        ('"/opt/conf.d"]', "1]"),
    ],
)
def test_the_schema_rejects_what_the_parser_rejects(validator: Any, old: str, new: str) -> None:
    text = edited(old, new)
    failure(text)
    assert not validator.is_valid(tree(text))


def test_the_demo_fits_the_schema(validator: Any) -> None:
    from jinja2 import Environment, StrictUndefined

    source = (REPO / "templates" / "demo" / "proxyswitch.toml.j2").read_text()
    values = {"folder": "/tmp/demo", "blue": "127.0.0.1:1", "green": "127.0.0.1:2", "python": "/usr/bin/python3"}
    text = Environment(undefined=StrictUndefined, autoescape=False).from_string(source).render(**values)
    validator.validate(tree(text))
    assert parse(text).app("web").pool == "app_backend"
