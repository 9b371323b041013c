"""`proxyswitch init` on a real nginx and a real HAProxy: what it proposes is used as it is, to release a version."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxyswitch.model import Endpoint
from proxyswitch.system import net, proc, signals
from tests.drivers.gunicorn_world import gunicorn_site
from tests.e2e.alone import python_alone
from tests.e2e.haproxy_support import HaproxyBench
from tests.e2e.instant_support import InstantBench
from tests.e2e.shop import wait
from tests.e2e.support import APP, REPO, Bench, Run, bench, eventually
from tests.e2e.test_user import by, code, elsewhere, own
from tests.ports import free_port
from tests.runners.pm2 import PROGRAMS, Pm2

pytest_plugins = ["tests.e2e.haproxy_fixtures", "tests.e2e.instant_fixtures"]
__all__ = ["code", "elsewhere", "own"]  # fixtures

SECRET = "hunter2"
TWO = """\
upstream app_backend {{ server 127.0.0.1:{blue}; }}
upstream api-pool {{
    server 127.0.0.1:PORT;
    server 127.0.0.1:SPARE backup;
}}
"""
ODD = """\
events {}
http {
    upstream "we b.api" { server unix:/run/nobody-is-here.sock; }
    upstream six { server [::1]:SIX; }
    upstream ünïcode { server 127.0.0.1:9 down; server 127.0.0.1:10; }
    upstream far { server 192.0.2.7:80; }
    upstream 'it''s{}' { server 127.0.0.1:11; }
}
stream { upstream six { server 127.0.0.1:PORT; } }
"""


@pytest.fixture
def place(tmp_path: Path, nginx_binary: str) -> Iterator[Bench]:
    """An empty bench, and an end for what the proposal has started."""
    with bench(tmp_path) as made:
        yield made
        end_of(made)


def end_of(made: Bench) -> None:
    """End what releases have started: all have the state folder of the bench in their environment."""

    def left() -> list[Any]:
        return proc.with_environment("PROXYSWITCH_STATE", str(made.state))

    for process in left():
        signals.send(process, signals.KILL)
    wait(lambda: not left())


def settled(made: Bench, *words: str, env: dict[str, str] | None = None) -> Run:
    """A command that finds everything in the file that init has written: no option names a config."""
    argv = [sys.executable, "-m", "proxyswitch", *words]
    values, folder = made.environment(env), made.folder
    done = subprocess.run(argv, env=values, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return Run(done.returncode, done.stdout, done.stderr)


def lints(made: Bench, text: str) -> dict[str, Any]:
    """The proposal as TOML; our lint has nothing to say of it."""
    (made.folder / "proxyswitch.toml").write_text(text)
    found = settled(made, "lint", "--format", "json", "proxyswitch.toml")
    assert json.loads(found.out) == []
    return tomllib.loads(text)


def take_own_port(made: Bench, app: str) -> None:
    """Another free place for the next version than the one beside the old: such ports the kernel gives to connections."""
    file = made.folder / "proxyswitch.toml"
    text = file.read_text()
    file.write_text(text.replace(tomllib.loads(text)["apps"][app]["slots"]["green"], f"127.0.0.1:{free_port()}"))


def answer(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as got:
        return str(got.headers["X-Version"])


# nginx


def test_what_is_proposed_of_an_nginx_is_released(place: Bench) -> None:
    api, spare = place.instance("7"), free_port()
    place.write(place.instance("1"), pools=TWO.replace("PORT", str(api)).replace("SPARE", str(spare)))
    place.start()
    done = place.run("init", "--write")
    assert (done.code, done.out) == (0, ""), done.err
    tree = lints(place, (place.folder / "proxyswitch.toml").read_text())
    assert tree["nginx"] == {"conf": str(place.conf)}
    assert sorted(tree["apps"]) == ["api", "app"]
    assert tree["apps"]["api"]["slots"] == {"blue": f"127.0.0.1:{api}", "green": f"127.0.0.1:{spare}"}
    assert tree["apps"]["app"]["process"]["command"] == [sys.executable, str(APP)]
    assert tree["apps"]["app"]["health"] == {"url": "http://{address}/health"}
    take_own_port(place, "app")
    assert settled(place, "deploy", "app", "--version", "2").out.startswith("app: unknown (blue) → 2 (green)")
    assert place.version() == "2"
    assert settled(place, "deploy", "api", "--version", "8").out.startswith("api: unknown (blue) → 8 (green)")
    assert answer(spare) == "8"
    assert not net.is_listening(Endpoint("127.0.0.1", api))  # the old one, which init's line let it stop


def test_it_writes_nothing_unless_told_to(running: Bench) -> None:
    before = running.files()
    done = running.run("init")
    assert done.code == 0
    assert running.files() == before
    assert not running.state.exists()
    assert lints(running, done.out)["apps"]["app"]["pool"] == "app_backend"


def test_a_file_that_is_there_is_kept(running: Bench) -> None:
    file = running.folder / "proxyswitch.toml"
    file.write_text("# mine\n")
    refused = running.run("init", "--write")
    assert refused.code == 2
    assert f"{file} is there already" in refused.err
    assert file.read_text() == "# mine\n"
    done = running.run("init", "--write", "--force", "--json")
    assert done.code == 0
    assert Path(done.json["kept"]).read_text() == "# mine\n"
    assert file.read_text() == done.json["text"]
    other = running.run("init", "--output", "other.toml", "-q")
    assert (other.code, other.out, other.err) == (0, "", "")
    assert tomllib.loads((running.folder / "other.toml").read_text())["apps"]
    lost = running.run("init", "--output", "none/other.toml")
    assert lost.code in (2, 3)
    assert "none/other.toml: cannot write: No such file or directory" in lost.err


def test_json_says_what_was_seen(running: Bench) -> None:
    done = running.run("init", "--json")
    (app,) = done.json["apps"]
    assert (app["name"], app["driver"], app["sure"], done.json["changed"]) == ("app", "process", True, False)
    (listener,) = done.json["seen"]["listeners"]
    assert listener["pid"] == running.started[0].pid
    assert listener["words"] == [sys.executable, str(APP)]


def test_odd_names_places_and_streams(place: Bench) -> None:
    place.conf.write_text(
        ODD.replace("SIX", str(free_port())).replace("PORT", str(free_port())).replace("'it''s{}'", "it.s")
    )
    done = place.run("init", "--json")
    assert done.code == 0, done.err
    lints(place, done.json["text"])
    assert [app["name"] for app in done.json["apps"]] == ["we-b-api", "six", "n-code", "far", "it-s", "six-2"]
    assert not any(app["sure"] for app in done.json["apps"])
    assert '# pool = "we b.api"' in done.json["text"]
    assert '# url = "tcp://{address}"' in done.json["text"]


def test_an_instant_pool_has_its_slots(instant: InstantBench) -> None:
    done = instant.run("init")
    app = lints(instant, done.out)["apps"]["app"]
    assert app["slots"] == {"blue": f"127.0.0.1:{instant.blue}", "green": f"127.0.0.1:{instant.green}"}
    assert f"# takes the traffic now: {instant.pools}:2\n" in done.out
    assert settled(instant, "status", "app").out.splitlines()[1].split("\t")[1:3] == ["blue", "live"]


def test_a_secret_on_a_command_line_is_not_repeated(place: Bench) -> None:
    port = free_port()
    argv = [sys.executable, str(APP), f"--db=postgres://me:{SECRET}@db/shop"]
    env = {**os.environ, "PORT": str(port), "API_TOKEN": SECRET}
    place.started.append(subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    wait(lambda: net.is_listening(Endpoint("127.0.0.1", port)))
    place.write(port)
    for words in (["init"], ["init", "--json"]):
        done = place.run(*words)
        assert done.code == 0
        assert SECRET not in done.out + done.err
        assert "app is left out: its command has something like a secret in it" in done.err


# which proxy


@pytest.mark.root
def test_several_nginx_need_a_name(place: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    place.write(free_port())
    with bench(tmp_path_factory.mktemp("other")) as other:
        other.write(free_port())
        place.python = python_alone(place.folder, ["haproxy"], [place.starting, other.starting])
        argv = [place.python, "-m", "proxyswitch", "init"]
        env, folder = place.environment(), place.folder
        done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "several nginx run here" in done.stderr
    assert "--nginx-conf" in done.stderr


@pytest.mark.root
def test_with_no_proxy_at_all_it_is_a_template(tmp_path: Path) -> None:
    argv = [python_alone(tmp_path, ["nginx", "haproxy"]), "-m", "proxyswitch", "init", "--write"]
    env = {**os.environ, "PROXYSWITCH_STATE": str(tmp_path / "state"), "PYTHONPATH": str(REPO)}
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "no pool was found: what is proposed is a template" in done.stderr
    text = (tmp_path / "proxyswitch.toml").read_text()
    assert tomllib.loads(text) == {}
    assert "# FILL IN: " in text


@pytest.mark.root
def test_as_an_ordinary_user(own: Bench) -> None:
    """Its own nginx, and instances of root's, whose processes it may not look at."""
    done = by("www-data", own, "init", PROXYSWITCH_STATE=str(own.state))
    assert done.code == 0, done.err
    assert "whom only root may see" in done.err
    assert tomllib.loads(done.out)["nginx"] == {"conf": str(own.conf)}


@pytest.mark.parametrize(("text", "says"), [(None, "no such config file"), ("events {\n", "unexpected end of file")])
def test_a_config_that_was_named_and_is_none_is_a_mistake(tmp_path: Path, text: str | None, says: str) -> None:
    conf = tmp_path / "nginx.conf"
    if text is not None:
        conf.write_text(text)
    argv = [sys.executable, "-m", "proxyswitch", "init", "--write", "--nginx-conf", str(conf)]
    env = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{conf}" in done.stderr
    assert says in done.stderr
    assert not (tmp_path / "proxyswitch.toml").exists()


@pytest.mark.root
def test_a_config_that_may_not_be_read_is_said(own: Bench, elsewhere: Path) -> None:
    conf = elsewhere / "nginx.conf"
    shutil.copy(own.conf, conf)
    conf.chmod(0o600)
    os.chmod(elsewhere, 0o755)
    assert pwd.getpwuid(conf.stat().st_uid).pw_name != "www-data"
    done = by("www-data", own, "init", "--nginx-conf", str(conf), PROXYSWITCH_STATE=str(own.state))
    assert done.code == 0
    assert "nginx was left out: " in done.err
    assert "ermission" in done.err
    assert tomllib.loads(done.out) == {}


# HAProxy


def test_what_is_proposed_of_a_haproxy_is_released(ha: HaproxyBench) -> None:
    done = ha.run("init", "--write")
    assert (done.code, done.out) == (0, ""), done.err
    try:
        tree = lints(ha, (ha.folder / "proxyswitch.toml").read_text())
        assert tree["haproxy"] == {"conf": str(ha.conf)}
        app = tree["apps"]["app"]
        assert app["slots"] == {"blue": f"127.0.0.1:{ha.blue}", "green": f"127.0.0.1:{ha.green}"}
        assert settled(ha, "deploy", "app", "--version", "2").out.startswith("app: unknown (blue) → 2 (green)")
        assert ha.version() == "2"
    finally:
        end_of(ha)


# runners


def ended(word: str) -> list[int]:
    """End every process with that word on its command line; those that are still there."""
    found = [p for pid in proc.pids() if word in proc.words(pid) and (p := proc.identify(pid))]
    for process in found:
        signals.send(process, signals.KILL)
    return [process.pid for process in found]


def test_an_app_of_pm2(place: Bench, pm2: Pm2) -> None:
    port = free_port()
    app = {"name": "web", "script": str(SCRIPT), "env": {"PORT": port, "SECRET": SECRET}, "exec_mode": "cluster"}
    file = place.folder / "ecosystem.json"
    file.write_text(json.dumps({"apps": [app]}))
    pm2.run("start", str(file))
    assert eventually(lambda: net.is_listening(Endpoint("127.0.0.1", port))), pm2.told()
    place.write(port)
    env = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    done = place.run("init", "--json", env=env)
    assert done.code == 0, done.err
    assert SECRET not in done.out + done.err
    table = lints(place, done.json["text"])["apps"]["app"]
    assert table["slots"] == {"main": f"127.0.0.1:{port}"}
    assert table["pm2"] == {"name": "web", "home": str(pm2.home)}
    file = place.folder / "proxyswitch.toml"
    file.write_text(file.read_text().replace("# allow_gap", "allow_gap"))  # the one marked line: it is a person's to say
    told = settled(place, "deploy", "app", "--version", "2", env=env)
    assert told.out.startswith("app: unknown → 2 (")
    assert SECRET not in told.out + told.err


def test_a_gunicorn_is_replaced_in_place(place: Bench) -> None:
    """Started by hand, as most are: as a daemon with a pid file."""
    with gunicorn_site(place.folder) as site:
        site.put("1")
        site.put("2")
        (place.folder / "current").symlink_to("releases/1")
        words = [word.format(address=f"127.0.0.1:{site.port}") for word in site.command()]
        pidfile = place.folder / "web.pid"
        env = {**os.environ, "PWD": str(place.folder / "current")}  # as a shell has it after cd
        subprocess.run([*words, "--daemon", "--pid", str(pidfile)], cwd=env["PWD"], env=env, check=True, timeout=60)
        try:
            wait(lambda: site.version() == "1")
            place.write(site.port)
            assert place.run("init", "--write").code == 0
            app = lints(place, (place.folder / "proxyswitch.toml").read_text())["apps"]["app"]
            assert app["gunicorn"]["command"] == site.command()
            assert app["gunicorn"]["pidfile"] == str(pidfile)
            settled(place, "deploy", "app", "--version", "2")
            assert site.version() == "2"
        finally:
            wait(lambda: not ended(str(pidfile)))


def test_a_compose_file(place: Bench) -> None:
    blue, green = free_port(), free_port()
    services = {
        f"app-{slot}": {"image": "shop:1", "ports": [f"127.0.0.1:{port}:80"], "environment": {"SECRET": SECRET}}
        for slot, port in (("blue", blue), ("green", green))
    }
    file = place.folder / "compose.yaml"
    lines = ["services:"]
    for name, service in services.items():
        lines += [f"  {name}:", f"    image: {service['image']}", "    environment:", f"      SECRET: {SECRET}"]
        lines += ["    ports:", *(f'      - "{port}"' for port in service["ports"])]
    file.write_text("\n".join(lines) + "\n")
    place.write(blue, pools=f"upstream app_backend {{{{ server 127.0.0.1:{blue}; server 127.0.0.1:{green} down; }}}}\n")
    done = place.run("init")
    assert SECRET not in done.out + done.err
    app = lints(place, done.out)["apps"]["app"]
    assert app["compose"] == {"service": "app-{slot}", "files": [str(file)]}
    assert app["slots"] == {"blue": f"127.0.0.1:{blue}", "green": f"127.0.0.1:{green}"}


SCRIPT = Path(__file__).parents[1] / "runners" / "apps" / "server.js"
