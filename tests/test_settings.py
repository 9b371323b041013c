"""`proxyswitch.toml`: every key, every mistake with the path of its key, where the file is found, and its schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from proxyswitch import settings, settings_file, settings_release, settings_runners
from proxyswitch.errors import SettingsError
from proxyswitch.model import Endpoint, Slot
from proxyswitch.settings_base import Bytes, Percent, Seconds
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
exec = "docker exec shop-nginx-1"
paths = { "/etc/nginx" = "nginx" }
reload_timeout = "15s"
max_old_workers = 8

[haproxy]
conf = ["/opt/haproxy.cfg", "/opt/conf.d"]
socket = "/run/haproxy/admin.sock"
binary = "/opt/haproxy"
reload_timeout = "20s"

[[notify]]
events = ["done", "failed"]
apps = ["web"]
url = "https://chat.example/${HOOK}"
format = "text"
headers = { Authorization = "Bearer ${TOKEN}" }
timeout = "2s"

[[notify]]
url_file = "hook"

[[notify]]
apprise = "ntfy://${TOPIC}"

[[notify]]
apprise_file = "/etc/hook"

[[notify]]
command = ["mail", "ops"]

[metrics]
textfile = "metrics/web.prom"

[lint]
files = ["nginx/nginx.conf", "migrations/*.sql"]
select = ["nginx", "sql"]
ignore = ["nginx/single-server"]
fail_on = "warning"
dialect = "mysql"
phase = "contract"
per_file_ignores = { "legacy/*.conf" = ["nginx"] }

[apps.web]
pool = "app_backend"
proxy = "nginx"
driver = "process"
drain = "2m"
watch = 0
more_pools = ["haproxy:app", "second"]
strategy = "canary"
keep = 3

[apps.web.canary]
steps = ["1%", "50%"]
pause = "5m"
manual = true
patience = "2h"

[apps.web.rolling]
batch = 2
min_ready = 1

[apps.web.analysis]
max_error_rate = "0.5%"
error_ratio = 2
latency_ratio = 1.5
min_requests = 100
on_no_traffic = "wait"
patience = "1h"
log = "/var/log/nginx/tries.log"

[apps.web.migrate]
expand = ["manage", "expand"]
contract = "manage contract"
timeout = "20m"
confirm_after = "24h"
lock = "shop-db"

[apps.web.warmup]
paths = ["/", "/search?q=a"]
count = 7
concurrency = 3
timeout = "10s"

[apps.web.needs]
memory = "1.5G"
disk = "500M"
load = 2.5

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
cleanup = ["rm"]
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
            conf="/opt/nginx.conf",
            binary="/opt/nginx",
            exec="docker exec shop-nginx-1",
            paths={"/etc/nginx": "nginx"},
            reload_timeout=settings.Seconds(15),
            max_old_workers=8,
        ),
        haproxy=settings.Haproxy(
            conf=["/opt/haproxy.cfg", "/opt/conf.d"],
            socket="/run/haproxy/admin.sock",
            binary="/opt/haproxy",
            reload_timeout=settings.Seconds(20),
        ),
        lint=settings.Lint(
            files=["nginx/nginx.conf", "migrations/*.sql"],
            select=["nginx", "sql"],
            ignore=["nginx/single-server"],
            fail_on="warning",
            dialect="mysql",
            phase="contract",
            per_file_ignores={"legacy/*.conf": ["nginx"]},
        ),
        notify=[
            settings.Notify(
                events=["done", "failed"],
                apps=["web"],
                url="https://chat.example/${HOOK}",
                format="text",
                headers={"Authorization": "Bearer ${TOKEN}"},
                timeout=settings.Seconds(2),
            ),
            settings.Notify(url_file=settings.Local("/srv/hook")),
            settings.Notify(apprise="ntfy://${TOPIC}"),
            settings.Notify(apprise_file=settings.Local("/etc/hook")),
            settings.Notify(command=["mail", "ops"]),
        ],
        metrics=settings.Metrics(textfile=settings.Local("/srv/metrics/web.prom")),
        apps={
            "web": settings.App(
                pool="app_backend",
                slots={"blue": "127.0.0.1:3001", "green": "unix:/run/green.sock"},
                drain=settings.Seconds(120),
                watch=settings.Seconds(0),
                more_pools=["haproxy:app", "second"],
                strategy="canary",
                keep=3,
                canary=settings_release.Canary(
                    steps=[Percent(1), Percent(50)], pause=Seconds(300), manual=True, patience=Seconds(7200)
                ),
                rolling=settings_release.Rolling(batch=2, min_ready=1),
                analysis=settings_release.Analysis(
                    max_error_rate=Percent(0.5),
                    error_ratio=2,
                    latency_ratio=1.5,
                    min_requests=100,
                    on_no_traffic="wait",
                    patience=Seconds(3600),
                    log="/var/log/nginx/tries.log",
                ),
                migrate=settings_release.Migrate(
                    expand=["manage", "expand"],
                    contract="manage contract",
                    timeout=Seconds(1200),
                    confirm_after=Seconds(86400),
                    lock="shop-db",
                ),
                warmup=settings_release.WarmUp(paths=["/", "/search?q=a"], count=7, concurrency=3, timeout=Seconds(10)),
                needs=settings_release.Needs(memory=Bytes(3 * 2**29), disk=Bytes(500 * 2**20), load=2.5),
                process=settings_runners.Process(
                    command="exec run --port $PORT",
                    cwd=settings.Local("/srv/srv"),
                    user="www-data",
                    umask="027",
                    env={"A": "{version}"},
                    log_dir=settings.Local("/var/log/web"),
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
                    cleanup=["rm"],
                    timeout=settings.Seconds(3600),
                ),
            )
        },
    )


def test_the_example_above_has_every_key() -> None:
    """Whoever adds a key adds it to FULL, and so to the tests of parser and schema."""
    app = parse(FULL).apps["web"]
    told, figures, lint = parse(FULL).notify[0], parse(FULL).metrics, parse(FULL).lint
    tables: list[Any] = [
        parse(FULL).nginx,
        parse(FULL).haproxy,
        told,
        figures,
        lint,
        app,
        app.process,
        app.health,
        app.hooks,
    ]
    tables += [app.canary, app.rolling, app.analysis, app.migrate, app.warmup, app.needs]
    unnamed = [name for table in tables if table for name in table.__struct_fields__ if f"{name} = " not in FULL]
    others = settings_runners.RUNNERS.keys() - {"process"}  # each in the tests of its driver
    assert [name for name in unnamed if name not in others and f"[apps.web.{name}]" not in FULL] == []


def test_what_is_not_said_has_its_default() -> None:
    app = parse(SMALL).app("web")
    assert (app.proxy, app.driver, app.health) == ("nginx", "process", None)
    assert (float(app.drain), float(app.watch)) == (60, 3)
    assert (app.needs.memory, app.needs.disk, app.needs.load) == (None, 200 * 2**20, 0)
    assert app.process
    assert (float(app.process.grace), app.process.log_keep, app.process.stop_signal) == (10, 5, "TERM")
    assert settings.load(None) == settings.Settings()


@pytest.mark.parametrize(
    ("conf", "files"), [('"/a.cfg"', ("/a.cfg",)), ('["/a.cfg", "/b"]', ("/a.cfg", "/b")), ("[]", ("",)), ('""', ("",))]
)
def test_the_config_of_haproxy_is_a_file_or_several(conf: str, files: tuple[str, ...]) -> None:
    assert parse(f"[haproxy]\nconf = {conf}\n").haproxy.files == files


def test_who_is_told_of_what_a_person_must_look_at() -> None:
    (told,) = parse('[[notify]]\ncommand = "true"\n').notify
    assert (told.events, told.apps, told.format, float(told.timeout)) == (
        ["failed", "rolled_back", "drain_overdue"],
        [],
        "json",
        5,
    )
    assert [parse(FULL).notify[n].way for n in range(5)] == ["url", "url", "apprise", "apprise", "command"]


def test_a_mistake_in_a_secret_does_not_show_it() -> None:
    for old, new in (
        ('"https://chat.example/${HOOK}"', '"s3cr3t"'),
        ("${TOKEN}", "s3cr3t${"),
        ("ntfy://${TOPIC}", "s3cr3t${"),
    ):
        assert "s3cr3t" not in failure(edited(old, new))


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
    ("value", "size", "words"),
    [
        ("0", 0, "0 bytes"),
        (1023, 1023, "1023 bytes"),
        ("1K", 1024, "1.0 KB"),
        ("1.5M", 3 * 2**19, "1.5 MB"),
        ("310M", 310 * 2**20, "310 MB"),
        ("1500M", 1500 * 2**20, "1.5 GB"),
        ("2T", 2**41, "2.0 TB"),
        (5 * 2**50, 5 * 2**50, "5120 TB"),
    ],
)
def test_amounts(value: str | int, size: int, words: str) -> None:
    assert Bytes.parse(value) == size
    assert str(Bytes.parse(value)) == words


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
        ('driver = "process"', 'driver = "pm3"', "apps.web.driver: unknown driver 'pm3': did you mean 'pm2'?"),
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
        ("apprise =", "aprise =", "notify 3.aprise: unknown key: did you mean 'apprise'?"),
        ("apprise =", "x = 1\napprise =", "notify 3.x: unknown key"),
        ("apprise =", "url = 'http://x'\napprise =", "notify 3.apprise: exactly one of url, url_file, apprise, "),
        ('apprise = "ntfy://${TOPIC}"', "", "notify 3.url: exactly one of url, url_file, apprise, apprise_file, command is"),
        ('["done", "failed"]', '["done", "faild"]', "notify 1.events: 'faild' is not known: did you mean 'failed'?"),
        ('["done", "failed"]', '["zzz"]', "notify 1.events: 'zzz' is not known; there is started, switched, done, failed, "),
        ('["done", "failed"]', "[]", "notify 1.events: at least one of started, switched, "),
        ('["done", "failed"]', '"done"', "notify 1.events: expected `array`, got `str`"),
        ('["done", "failed"]', "[1]", "notify 1.events[0]: expected `str`, got `int`"),
        ('apps = ["web"]', 'apps = ["wbe"]', "notify 1.apps: no app 'wbe': did you mean 'web'?"),
        (
            'url = "https://chat.example/${HOOK}"',
            'url = "ftp://s3cr3t"',
            "notify 1.url: must begin with http:// or https://",
        ),
        ("/${HOOK}", "/${HO-OK}", "notify 1.url: a variable of the environment is written ${NAME}"),
        ("${TOKEN}", "${TOKEN", "notify 1.headers.Authorization: a variable of the environment is written ${NAME}"),
        ('"Bearer ${TOKEN}"', "1", "notify 1.headers.Authorization: expected `str`, got `int`"),
        ('format = "text"', 'format = "xml"', "notify 1.format: 'xml' is not known; there is json and text"),
        ('timeout = "2s"', 'timeout = "6s"', "notify 1.timeout: more than 0 and at most 5 s"),
        ('timeout = "2s"', "timeout = 0", "notify 1.timeout: more than 0 and at most 5 s"),
        ('timeout = "2s"', 'timeout = "soon"', "notify 1.timeout: 'soon' is no duration"),
        ("command = [", "format = 'text'\ncommand = [", "notify 5.format: only with url"),
        ("command = [", "headers = { A = 'b' }\ncommand = [", "notify 5.headers: only with url"),
        ('["mail", "ops"]', '["mail", 1]', "notify 5.command[1]: expected `str`, got `int`"),
        (
            "metrics/web.prom",
            "metrics/web.txt",
            "metrics.textfile: must end in .prom: node_exporter passes over other files",
        ),
        ('memory = "1.5G"', 'memory = "1.5GB"', "apps.web.needs.memory: expected an amount: bytes, or as 512M, 1.5G"),
        ('memory = "1.5G"', "memory = 1.5", "apps.web.needs.memory: expected an amount"),
        ('memory = "1.5G"', "memory = -1", "apps.web.needs.memory: expected an amount"),
        ('disk = "500M"', "disk = true", "apps.web.needs.disk: expected an amount"),
        ('disk = "500M"', 'disk = "a lot"', "apps.web.needs.disk: expected an amount"),
        ('disk = "500M"', 'disc = "500M"', "apps.web.needs.disc: unknown key: did you mean 'disk'?"),
        ("load = 2.5", "load = -1", "apps.web.needs.load: expected `float` >= 0.0"),
        ('fail_on = "warning"', 'fail_on = "warn"', "lint.fail_on: 'warn' is not known: did you mean 'warning'?"),
        ('fail_on = "warning"', "fail_on = 1", "lint.fail_on: expected `str`, got `int`"),
        ("fail_on =", "fail-on =", "lint.fail-on: unknown key: did you mean 'fail_on'?"),
        ('dialect = "mysql"', 'dialect = "oracle"', "lint.dialect: 'oracle' is not known; there is postgres, mysql, sqlite"),
        ('phase = "contract"', 'phase = "contrat"', "lint.phase: 'contrat' is not known: did you mean 'contract'?"),
        ('ignore = ["nginx/single-server"]', 'ignore = "nginx"', "lint.ignore: expected `array`, got `str`"),
        ('= ["nginx"] }', '= ["nginx"], "b" = "sql" }', "lint.per_file_ignores.b: expected `array`, got `str`"),
        ('= ["nginx"] }', '= ["nginx"], "b" = ["sql", 1] }', "lint.per_file_ignores.b[1]: expected `str`, got `int`"),
        ("textfile", "textfiel", "metrics.textfiel: unknown key: did you mean 'textfile'?"),
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
        ('[notify]\nurl = "http://x"', "notify: expected tables, as [[notify]]: there may be several"),
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


def test_all_faults_are_told_the_first_of_each_table() -> None:
    text = FULL.replace("conf =", "cnf =").replace("[haproxy]", "[haprox]").replace('apps = ["web"]', 'apps = ["wbe"]')
    tree_ = tree(text)
    tree_["apps"]["shop"] = {"pool": "p", "slots": {"a": "127.0.0.1:1"}, "process": {"command": 1}}
    assert [fault.partition(":")[0] for fault in settings.faults(tree_, "p.toml")] == [
        "apps.shop.process.command",
        "nginx.cnf",
        "haprox",
        "notify 1.apps",
    ]
    assert list(settings.faults(tree(FULL), "p.toml")) == []
    assert list(settings.faults({"apps": 3, "path": "x"}, "p.toml")) == [
        "apps: expected a table of apps, as [apps.web]",
        "path: unknown key",
    ]


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
        ('pool = "app_backend"', "pool = 3"),
        ('drain = "2m"', 'drain = "soon"'),
        ('drain = "2m"', "drain = -1"),
        ("log_keep = 3", "log_keep = 0"),
        ('umask = "027"', 'umask = "0o27"'),
        ('env = { A = "{version}" }', "env = { A = 1 }"),
        ('conf = "', "path = '/x'\nconf = \""),
        ('socket = "/run/haproxy/admin.sock"', "socket = 1"),
        ('"/opt/conf.d"]', "1]"),
        ('["done", "failed"]', '["done", "faild"]'),
        ('format = "text"', 'format = "xml"'),
        ("apprise =", "aprise ="),
        ("textfile", "textfiel"),
        ('memory = "1.5G"', 'memory = "1.5GB"'),
        ('memory = "1.5G"', "memory = -1"),
        ('disk = "500M"', "disk = true"),
        ("load = 2.5", "load = -1"),
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


# which runner, and how


def app_of(text: str) -> settings.App:
    return parse(f"[apps.web]\n{text}").app("web")


def test_the_runner_is_the_one_whose_table_is_there() -> None:
    found = app_of('slots = { main = "127.0.0.1:8000" }\ncompose = { service = "web" }')
    assert (found.driver, found.in_place, found.pool) == ("compose", True, "")


ONE, TWO = 'slots = { a = "127.0.0.1:1" }\n', 'slots = { a = "127.0.0.1:1", b = "127.0.0.1:2" }\n'
RUN, SWARM = 'process = { command = "x" }\n', 'swarm = { service = "s", image = "i" }\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'pool = "p"\n{ONE}{RUN}{SWARM}', "swarm: the driver is process: remove this table"),
        (f'{ONE}driver = "swarm"', 'swarm: this table is required by driver = "swarm"'),
        (TWO + RUN, "pool: this key is required: the pool that sends traffic to one of the slots"),
        (ONE + RUN, "pool: this key is required"),
        (TWO + SWARM, "slots: swarm replaces a version in place: exactly one slot, not a, b"),
        (f'pool = "p"\nslots = {{ a = "auto" }}\n{RUN}', "slots.a: process gives out no addresses"),
        (
            'pool = "p"\nslots = { a = "auto", b = "127.0.0.1:1" }\ncompose = { service = "s-{slot}" }',
            "slots.a: auto is for an app",
        ),
    ],
)
def test_what_does_not_fit_the_runner_is_told(text: str, message: str) -> None:
    said = failure(f"[apps.web]\n{text}")
    assert said.startswith(f"apps.web.{message}"), said


def test_the_address_may_be_left_to_the_runner() -> None:
    (place,) = app_of('slots = { main = "auto" }\nswarm = { service = "s", image = "i" }').places
    assert place.endpoint == Endpoint()
    assert str(place.endpoint) == "auto"


def test_files_count_from_the_folder_of_the_settings() -> None:
    text = 'pool = "p"\nslots = { a = "127.0.0.1:1" }\nprocess = { command = "x", log_dir = "logs" }'
    table = app_of(text).process
    assert table
    assert (table.cwd, table.log_dir) == ("/srv", "/srv/logs")
    numbered = text.replace('"logs"', "3")
    assert failure(f"[apps.web]\n{numbered}").startswith("apps.web.process.log_dir: expected")
