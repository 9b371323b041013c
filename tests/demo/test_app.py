"""The sample app: what it answers, how it stops, how it breaks; and the templates around it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from http.client import RemoteDisconnected
from pathlib import Path
from time import monotonic

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from proxyswitch import settings
from proxyswitch.conf import nginx as conf
from tests.ports import free_port

from . import LONG, App, running

TEMPLATES = Path(__file__).parents[2] / "templates" / "demo"


def test_it_says_its_version_and_slot() -> None:
    with running("7", APP_SLOT="green") as app:
        status, text, answer = app.get()
        assert (status, text, answer.headers["X-Version"]) == (200, "hello from version 7 (green)\n", "7")
        assert app.first == f"version 7 (green) listens on {app.address}"


def test_health_is_json_with_the_version() -> None:
    with running("7") as app:
        status, text, answer = app.get("/health")
        assert (status, answer.headers["Content-Type"]) == (200, "application/json")
        assert json.loads(text) == {"status": "healthy", "version": "7"}


def test_slow_takes_as_long_as_asked() -> None:
    with running("7") as app:
        begun = monotonic()
        status, _, answer = app.get("/slow?seconds=0.2")
        assert monotonic() - begun >= 0.2
        assert (status, answer.headers["X-Version"]) == (200, "7")


@pytest.mark.parametrize("seconds", ["x", "-1", "nan", "1e9"])
def test_slow_refuses_what_is_no_time(seconds: str) -> None:
    with running() as app:
        assert app.get(f"/slow?seconds={seconds}")[0] == 400


def test_upload_answers_the_length() -> None:
    with running() as app:
        assert app.get("/upload", "POST", b"x" * 200_000)[:2] == (200, "200000\n")


def test_unknown_paths_and_uploads_without_a_length() -> None:
    with running() as app:
        assert app.get("/nothing")[0] == 404
        assert app.get("/nothing", "POST", b"x")[0] == 404
        connection = app.connect()
        with contextlib.closing(connection):
            connection.putrequest("POST", "/upload")
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()  # the answer comes before any of the body could be sent
            with connection.getresponse() as answer:
                assert (answer.status, answer.will_close) == (411, True)


def test_head_has_no_body_and_the_connection_is_kept() -> None:
    with running() as app, contextlib.closing(app.connect()) as connection:
        connection.connect()
        sock = connection.sock
        for method in ("GET", "HEAD", "GET"):
            connection.request(method, "/")
            with connection.getresponse() as answer:
                assert bool(answer.read()) == (method == "GET")
        assert connection.sock is sock


def test_crash_ends_the_process() -> None:
    with running() as app:
        with pytest.raises(RemoteDisconnected):
            app.get("/crash")
        assert app.ends() == (1, "crashed: /crash was asked for\n")


def test_sigterm_stops_it_in_the_middle_of_a_request() -> None:
    with running() as app, contextlib.closing(app.connect()) as connection:
        connection.request("GET", f"/slow?seconds={LONG * 2}")
        app.get()
        app.process.terminate()
        assert app.ends() == (0, "")
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            connection.getresponse()


def test_never_healthy() -> None:
    with running(APP_BROKEN="never-healthy") as app:
        assert app.get("/health")[0] == 503
        assert app.get()[0] == 200


def test_crash_at_the_start_says_why() -> None:
    with running(APP_BROKEN="crash", PORT=str(free_port())) as app:
        assert app.first.startswith("crashed: ")
        assert app.ends() == (1, "")


def test_dies_later() -> None:
    with running(APP_BROKEN="dies:0.2") as app:
        assert app.first.startswith("version 1 ")
        assert app.ends() == (1, "died after 0.2 s, as APP_BROKEN asks\n")


def test_ignores_term() -> None:
    with running(APP_BROKEN="ignores-term") as app:
        app.process.terminate()
        ignored = next(s for s in Path(f"/proc/{app.process.pid}/status").read_text().splitlines() if "SigIgn" in s)
        assert int(ignored.split()[1], 16) >> (signal.SIGTERM - 1) & 1
        assert app.get("/health")[0] == 200


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"PORT": "http"}, "PORT must be a number, not 'http'"),
        ({"APP_BROKEN": "dead"}, "APP_BROKEN=dead: unknown; there is never-healthy, crash, dies, ignores-term"),
        ({"APP_BROKEN": "dies:soon"}, "APP_BROKEN=dies:soon: how many seconds? as dies:2.5"),
    ],
)
def test_a_wrong_environment_is_named(env: dict[str, str], said: str) -> None:
    with running(**env) as app:
        assert (app.first, *app.ends()) == (said, 1, "")


def test_a_port_that_is_taken_is_named() -> None:
    with running() as app:
        second = App(PORT=str(app.address.port))
        assert second.ends() == (1, "")
        assert second.first == f"cannot listen on {app.address}: Address already in use"


def render(name: str, **values: object) -> bytes:
    environment = Environment(undefined=StrictUndefined, loader=FileSystemLoader(TEMPLATES), autoescape=False)
    return environment.get_template(name).render(values).encode()


def nginx_conf(folder: Path, **more: str) -> bytes:
    return render("nginx.conf.j2", folder=folder, blue="127.0.0.1:3001", port=free_port(), **more)


def test_the_nginx_template_has_the_pool() -> None:
    data = nginx_conf(Path("/tmp/x"))
    document = conf.parse(data)
    assert document.dumps() == data


@pytest.mark.parametrize("user", [None, "root"])
def test_nginx_accepts_the_template(tmp_path: Path, nginx_binary: str, user: str | None) -> None:
    folder = tmp_path / "a folder"
    (folder / "nginx").mkdir(parents=True)
    main = folder / "nginx" / "nginx.conf"
    main.write_bytes(nginx_conf(folder, **({"user": user} if user else {})))
    argv = [nginx_binary, "-t", "-c", str(main), "-e", str(folder / "nginx" / "error.log")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=LONG)
    assert done.returncode == 0, done.stderr


def test_the_settings_template_is_read(tmp_path: Path) -> None:
    values = {"folder": str(tmp_path / 'a "folder"'), "blue": "127.0.0.1:3001", "green": "127.0.0.1:3002"}
    read = settings.parse(render("proxyswitch.toml.j2", python="/usr/bin/python3", **values), "proxyswitch.toml")
    web = read.app("web")
    assert read.nginx.conf == f"{values['folder']}/nginx/nginx.conf"
    assert (web.pool, web.slots) == ("app_backend", {"blue": "127.0.0.1:3001", "green": "127.0.0.1:3002"})
    assert web.process
    assert (web.process.command, web.process.cwd) == (["/usr/bin/python3", "app.py"], values["folder"])
    assert web.health
    assert web.health.json == {"status": "healthy", "version": "{version}"}
