"""compose, swarm and pm2: what the real tools read in it, and what is refused. How it runs: tests/e2e."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from proxyswitch.errors import ProxyswitchError, UsageError
from proxyswitch.generate import check_code, check_compose
from proxyswitch.generate.kinds import load
from proxyswitch.generate.render import Made
from proxyswitch.proxies.base import Options, Rejected
from tests.generate.cases.containers import CASES
from tests.generate.golden import FOLDER
from tests.generate.support import files, generate
from tests.runners.docker import COMPOSE1
from tests.runners.engine import PLUGIN

GREETING = 'it costs $5: "{%}" #1; done'
COMPOSES: dict[str, list[str]] = {"1": COMPOSE1, "2": [str(PLUGIN)]}
BY_KIND = {kind: [name for name in CASES if CASES[name].split()[0] == kind] for kind in ("compose", "pm2", "swarm")}


def told(argv: Sequence[str], path: Path) -> str:
    """What a tool prints of a file. Raises AssertionError."""
    env = {**os.environ, "APP_VERSION": "7"}
    done = subprocess.run([*argv], env=env, cwd=path.parent, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_by_compose(version: str, path: Path) -> dict[str, Any]:
    """The services, as that Compose understands them. Without a profile it leaves out what bears one."""
    read: dict[str, Any] = yaml.safe_load(told([*COMPOSES[version], "-f", str(path), "config"], path))
    return read["services"] or {}


# what is read


@pytest.mark.parametrize("version", COMPOSES)
@pytest.mark.parametrize("name", [*BY_KIND["compose"], *BY_KIND["swarm"]])
def test_both_composes_take_it(name: str, version: str) -> None:
    for path in (FOLDER / name).glob("*.yaml"):
        read_by_compose(version, path)


@pytest.mark.parametrize("name", BY_KIND["swarm"])
def test_docker_takes_the_stack(name: str) -> None:
    path = FOLDER / name / "stack.yaml"
    services = yaml.safe_load(told(["docker", "stack", "config", "-c", str(path)], path))["services"]
    (service,) = services.values()
    assert service["image"].endswith("shop:7")
    assert service["deploy"]["update_config"]["failure_action"] == "rollback"
    assert {way["order"] for way in map(service["deploy"].get, ("update_config", "rollback_config"))} == {"start-first"}


def test_a_stack_without_its_version_is_refused() -> None:
    """A bare `docker stack deploy` would start another version than the one that runs."""
    path = FOLDER / "swarm/stack.yaml"
    env = {key: value for key, value in os.environ.items() if key != "APP_VERSION"}
    done = subprocess.run(["docker", "stack", "config", "-c", path], env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "say which version" in done.stderr


def test_a_bare_up_starts_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose 2 tells which services it would start."""
    path = FOLDER / "compose-nginx/compose.yaml"
    monkeypatch.delenv("COMPOSE_PROFILES", raising=False)
    words = [*COMPOSES["2"], "-f", str(path), "config", "--services"]
    assert told(words, path).split() == ["nginx"]
    monkeypatch.setenv("COMPOSE_PROFILES", "app")
    assert set(told(words, path).split()) == {"nginx", "shop-a", "shop-b"}


@pytest.mark.parametrize("version", COMPOSES)
def test_odd_characters_survive_compose(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE_PROFILES", "app")
    shop = read_by_compose(version, FOLDER / "compose-nginx/compose.yaml")["shop-a"]
    assert shop["environment"]["GREETING"].replace("$$", "$") == GREETING  # what it prints can be read again
    assert shop["image"] == "registry.example:5000/shop:7"
    scaled = read_by_compose(version, FOLDER / "compose-scaled/compose.yaml")["app"]
    assert [word.replace("$$", "$") for word in scaled["healthcheck"]["test"]] == ["CMD", "sh", "-c", "test $PPID"]


def test_odd_characters_survive_docker() -> None:
    path = FOLDER / "swarm-mesh/stack.yaml"
    read = yaml.safe_load(told(["docker", "stack", "config", "-c", str(path)], path))
    assert read["services"]["web"]["environment"]["GREETING"].replace("$$", "$") == GREETING


@pytest.mark.parametrize("name", BY_KIND["pm2"])
def test_node_takes_it(name: str) -> None:
    path = FOLDER / name / "ecosystem.config.js"
    (app,) = json.loads(told(["node", "-p", f"JSON.stringify(require({json.dumps(str(path))}).apps)"], path))
    if name == "pm2":
        assert app["env"] == {"NODE_ENV": "production", "GREETING": GREETING, "HOST": "127.0.0.1", "PORT": "3000"}
        assert (app["wait_ready"], app["listen_timeout"], app["kill_timeout"]) == (True, 30000, 30000)
    else:
        assert app["kill_timeout"] == 1500
        assert not {"env", "cwd", "wait_ready"} & set(app)


# what the checks say


def made(kind: str, text: str) -> Made:
    part = load(kind).parts[0]
    return Made(part, f"/srv/{part.path}", text)


def test_the_tools_refuse_what_is_wrong() -> None:
    for kind, check in (("compose", check_compose.compose), ("swarm", check_compose.swarm)):
        with pytest.raises(Rejected, match=rf"^/srv/{load(kind).parts[0].path}: docker.* refuses it: "):
            check(made(kind, "services: {app: {image: a, frob: 1}}\n"), Options())
    with pytest.raises(Rejected, match=r"^node refuses /srv/ecosystem.config.js: /srv/ecosystem.config.js:2: SyntaxError"):
        check_code.node(made("pm2", "module.exports = {\n apps: [}\n"), Options())


def test_a_tool_that_is_not_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for kind, check, tool in (
        ("compose", check_compose.compose, "Docker Compose"),
        ("swarm", check_compose.swarm, "Docker Compose"),
        ("pm2", check_code.node, "node"),
    ):
        said = check(made(kind, ""), Options())
        assert said.startswith(f"{tool} did not test ")
        assert said.endswith(": it is not installed here")


def test_it_is_tested_and_written_with_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXYSWITCH_STATE", str(tmp_path / "state"))
    generate("compose --name shop --with-nginx", "--write", "--output", f"{tmp_path}/srv/")
    assert (tmp_path / "srv/compose.yaml").exists()
    assert "upstream shop_backend {" in (tmp_path / "srv/nginx/conf.d/shop.conf").read_text()
    own = tmp_path / "own"
    own.mkdir()
    (own / "compose.yaml.j2").write_text("services: 5\n")
    with pytest.raises(ProxyswitchError, match="refuses it"):
        generate("compose --name other", "--write", "--output", f"{tmp_path}/other/", "--template-dir", str(own))
    assert not (tmp_path / "other").exists()


# what the settings know


def of_settings(folder: Path, kind: str, text: str) -> str:
    path = folder / "proxyswitch.toml"
    path.write_text(text)
    (made,) = files(f"{kind} --app web --config {path}").values()
    return made


def test_compose_from_the_settings(tmp_path: Path) -> None:
    text = of_settings(
        tmp_path,
        "compose",
        "[apps.web]\npool = 'web'\nslots = { a = '127.0.0.1:4001', b = '127.0.0.1:4002', c = '127.0.0.1:4003' }\n"
        "[apps.web.compose]\nservice = 'w-{slot}'\nimage = 'reg/web:v{version}'\nport = 5000\ngrace = '7s'\n",
    )
    read = yaml.safe_load(text)
    ports = {name: service["ports"] for name, service in read["services"].items()}
    assert ports == {f"w-{slot}": [f"127.0.0.1:400{n}:5000"] for n, slot in enumerate("abc", 1)}
    assert read["x-app"]["image"] == "reg/web:v${APP_VERSION:-latest}"
    assert read["x-app"]["stop_grace_period"] == "7s"


def test_a_scaled_service_from_the_settings(tmp_path: Path) -> None:
    text = of_settings(
        tmp_path,
        "compose",
        "[apps.web]\npool = 'web'\nslots = { main = 'auto' }\n"
        "[apps.web.compose]\nservice = 'app'\nimage = 'web:{version}'\n",
    )
    assert yaml.safe_load(text)["services"]["app"]["ports"] == ["127.0.0.1::8000"]


def test_swarm_from_the_settings(tmp_path: Path) -> None:
    text = of_settings(
        tmp_path,
        "swarm",
        "[apps.web]\npool = 'web'\nslots = { main = 'auto' }\ndrain = '90s'\n"
        "[apps.web.swarm]\nservice = 'prod_api'\nimage = 'web:{version}'\nreplicas = 3\nport = 81\n"
        "update = { delay = '3s', parallelism = 2 }\n",
    )
    service = yaml.safe_load(text)["services"]["api"]
    assert (service["stop_grace_period"], service["ports"]) == ("90s", [{"mode": "host", "target": 81}])
    ways = service["deploy"]["update_config"]
    assert (service["deploy"]["replicas"], ways["delay"], ways["parallelism"], ways["monitor"]) == (3, "3s", 2, "5s")


def test_the_mesh_from_the_settings(tmp_path: Path) -> None:
    text = of_settings(
        tmp_path,
        "swarm",
        "[apps.web]\nslots = { main = '10.0.0.1:8080' }\n[apps.web.swarm]\nservice = 'a_b'\nimage = 'web:{version}'\n",
    )
    assert yaml.safe_load(text)["services"]["b"]["ports"] == [{"mode": "ingress", "target": 8000, "published": 8080}]


def test_pm2_from_the_settings(tmp_path: Path) -> None:
    text = of_settings(
        tmp_path,
        "pm2",
        "[apps.web]\nslots = { main = '127.0.0.1:4000' }\n[apps.web.pm2]\nname = 'api'\necosystem = 'ecosystem.config.js'\n"
        "current = 'current'\nrelease = 'releases/{version}'\nlisten_timeout = '12s'\n",
    )
    for line in ('name: "api"', f'cwd: "{tmp_path}/current"', "listen_timeout: 12000", '"PORT": "4000"'):
        assert line in text, text
    text = of_settings(
        tmp_path,
        "pm2",
        "[apps.web]\npool = 'web'\nslots = { blue = '127.0.0.1:4000', green = '127.0.0.1:4001' }\n"
        "[apps.web.pm2]\nname = 'web-{slot}'\napp = 'api'\necosystem = 'ecosystem.config.js'\nexec_mode = 'fork'\n"
        "wait_ready = false\n",
    )
    assert 'name: "api"' in text
    assert not any(word in text for word in ("cwd:", "PORT:", "wait_ready"))


# what is refused

ODD = ["two\nlines", "a{b", "a;b", 'a"b', "a'b", "", "-a", "é"]
NAMED = [(kind, option) for kind in ("compose", "swarm", "pm2") for option in ("--name",)] + [
    ("compose", "--service"),
    ("compose", "--pool"),
    ("swarm", "--stack"),
    ("swarm", "--service"),
]


@pytest.mark.parametrize(("kind", "option"), NAMED)
@pytest.mark.parametrize("text", [text for text in ODD if text])
def test_a_name_that_could_break_out(kind: str, option: str, text: str) -> None:
    rest = [] if option == "--name" else ["--name", "shop"]
    with pytest.raises(UsageError, match=rf"^{option}: "):
        generate(kind, *rest, f"{option}={text}")


@pytest.mark.parametrize("kind", ["compose", "swarm"])
@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--image", "shop"),
        ("--image", "shop:1"),
        ("--image", "Shop:{version}"),
        ("--image", "shop:{version}-{version}"),
        ("--image", "shop:{version}\n"),
        ("--image", 'shop:{version}"'),
        ("--image", "shop;:{version}"),
        ("--image", "$SHOP:{version}"),
        ("--image", "shop:{version}@sha256:" + "0" * 64),
        ("--port", "0"),
        ("--port", "65536"),
        ("--port", "80:80"),
        ("--health", "health"),
        ("--health", "/'); import os"),
        ("--probe", "telnet"),
        ("--env", "=a"),
        ("--env", "NO"),
        ("--env", "A B=c"),
        ("--env", "A=b\nc"),
        ("--env", "A=b\u2028c"),
        ("--env", "A=b\x85c"),
        ("--health-command", "a\nb"),
        ("--health-command", "'"),
        ("--grace", "soon"),
        ("--log-size", "big"),
        ("--log-files", "0"),
    ],
)
def test_values_that_are_no_good(kind: str, option: str, text: str) -> None:
    with pytest.raises(UsageError, match=rf"^{option}: "):
        generate(kind, "--name", "shop", f"{option}={text}")


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("compose --slot blue", "--slot: "),
        ("compose --slot a;b=127.0.0.1:1", "--slot: "),
        ("compose --slot a=0.0.0.0:3001", "--slot: "),
        ("compose --slot a=10.0.0.1:3001", "--slot: "),
        ("compose --slot a=unix:/run/a.sock", "--slot: "),
        ("compose --slot a=127.0.0.1:70000", "--slot: "),
        ("compose --slot a=127.0.0.1:1", "--slot: two are needed"),
        ("compose --slot a=127.0.0.1:1 --slot a=127.0.0.1:2", "--slot: two of them"),
        ("compose --slot a=127.0.0.1:1 --slot b=127.0.0.1:1", "--slot: two of them"),
        ("compose --scaled --slot a=127.0.0.1:1", "--scaled and --slot: "),
        ("compose --scaled --with-nginx", "--scaled and --with-nginx: "),
        ("compose --scaled --service app-{slot}", "--service must not contain {slot}"),
        ("compose --service app", "--service must contain {slot}"),
        ("compose --with-nginx --service {slot} --slot nginx=127.0.0.1:1 --slot b=127.0.0.1:2", "--service: nginx"),
        ("compose --probe curl --health-command true", "--probe and --health-command: "),
        ("compose --with-nginx --listen 99999", "--listen: "),
        ("compose --nginx-image nginx;1", "--nginx-image: "),
        ("swarm --probe curl --health-command true", "--probe and --health-command: "),
        ("swarm --mesh 0", "--mesh: "),
        ("swarm --replicas 0", "--replicas: "),
        ("swarm --replicas 1", "--replicas: one task"),
        ("swarm --replicas 2 --parallelism 2", "--parallelism: "),
        ("swarm --delay x", "--delay: "),
        ("pm2 --mode both", "--mode: "),
        ("pm2 --mode fork", "--mode fork: "),
        ("pm2 --no-ready", "--no-ready: "),
        ("pm2 --beside --address 127.0.0.1:1", "--beside and --address: "),
        ("pm2 --beside --cwd /srv/a", "--beside and --cwd: "),
        ("pm2 --beside --mode fork --instances 2", "--instances: "),
        ("pm2 --interpreter /usr/bin/python3", "--interpreter: "),
        ("pm2 --env PORT=1", "--env: PORT"),
        ("pm2 --beside --env HOST=1", "--env: HOST"),
        ("pm2 --address unix:/run/a.sock", "--address: "),
        ("pm2 --address 127.0.0.1:99999", "--address: "),
        ("pm2 --script 'a;b.js'", "--script: "),
        ("pm2 --script 'a\"b.js'", "--script: "),
        ("pm2 --cwd srv", "--cwd: "),
        ("pm2 --cwd /srv/{a}", "--cwd: "),
        ("pm2 --ready-timeout soon", "--ready-timeout: "),
    ],
)
def test_options_that_are_no_good_or_do_not_go_together(words: str, option: str) -> None:
    with pytest.raises(UsageError) as raised:
        generate(words, "--name", "shop")
    assert str(raised.value).removeprefix(f"generate {words.split(maxsplit=1)[0]}: ").startswith(option), raised.value


@pytest.mark.parametrize("kind", ["compose", "swarm"])
def test_a_name_without_an_image_of_that_name(kind: str) -> None:
    with pytest.raises(UsageError, match=r"^--image: "):
        generate(kind, "--name", "shop-")
