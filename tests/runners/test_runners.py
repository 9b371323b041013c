"""Each runner that the tests need is here and works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from proxyswitch.polling import until
from tests.ports import free_port
from tests.runners.docker import COMPOSE1, Docker
from tests.runners.pm2 import Pm2
from tests.runners.systemd import APP, USER, Systemd

LIMIT = 60.0
APPS = Path(__file__).parent / "apps"
SERVICE = """
services:
  app:
    image: {image}
    network_mode: bridge
    ports: ["127.0.0.1:{port}:8000"]
"""
UNIT = f"""
[Service]
Environment=VERSION=1 PORT={{port}}
ExecStart=/usr/bin/python3 {APP}
"""


def answer(port: int) -> dict[str, Any] | None:
    """What the app on that port says; None while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as reply:
            found: dict[str, Any] = json.loads(reply.read())
            return found
    except OSError:
        return None


def version(port: int) -> str:
    """The version that answers there, at last."""
    found = until(lambda: answer(port), LIMIT)
    assert found
    return str(found["version"])


def test_a_container_answers_and_becomes_healthy(docker: Docker, prefix: str) -> None:
    port, image = free_port(), docker.image(f"{prefix}:1", "1")
    docker.run("run", "-d", "--name", f"{prefix}-a", "-p", f"127.0.0.1:{port}:8000", image)
    assert version(port) == "1"
    docker.wait_healthy(f"{prefix}-a")
    docker.run("stop", f"{prefix}-a")
    assert docker.run("inspect", "-f", "{{.State.ExitCode}}", f"{prefix}-a") == "0"
    assert docker.run("logs", f"{prefix}-a").endswith("stopped in grace")


def test_an_image_can_be_broken(docker: Docker, prefix: str) -> None:
    for fault in ("exit", "never-ready", "dies-after:1"):
        name = f"{prefix}-{fault.partition(':')[0]}"
        docker.run("run", "-d", "--name", name, docker.image(f"{name}:1", "1", fault))
    assert until(lambda: docker.health(f"{prefix}-never-ready") == "unhealthy" or None, LIMIT)
    for name in ("exit", "dies-after"):
        assert docker.run("wait", f"{prefix}-{name}") == "3"
        assert docker.run("logs", f"{prefix}-{name}").endswith("the last line")


def test_what_bears_the_prefix_is_removed(docker: Docker) -> None:
    with docker.prefixed() as prefix, docker.prefixed() as other:
        image = docker.image(f"{other}:1", "1")
        docker.run("network", "create", f"{prefix}-net")
        docker.run("run", "-d", "--name", f"{prefix}-a", "--network", f"{prefix}-net", image)
        docker.run("create", "--name", f"{other}-a", docker.image(f"{prefix}:1", "1", "deaf"))
        docker.run("tag", image, f"{prefix}/web:2")
        docker.remove(prefix)
        shown = docker.run("ps", "-a", "--format", "{{.Names}}") + docker.run("network", "ls", "--format", "{{.Name}}")
        assert prefix not in shown
        assert prefix not in docker.run("images", "--format", "{{.Repository}}:{{.Tag}}")
        assert f"{other}-a" in shown


def test_compose_brings_a_service_up(docker: Docker, compose: list[str], prefix: str, tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "compose.yaml"
    text = SERVICE.format(image=docker.image(f"{prefix}:1", "1"), port=port)
    file.write_text('version: "3"\n' + text if compose == COMPOSE1 else text)

    def run(*words: str) -> str:
        argv, env = [*compose, "-p", prefix, "-f", str(file), *words], {**os.environ, **docker.env}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=LIMIT)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert ("1.29" if compose == COMPOSE1 else "2.") in run("version")
    run("up", "-d")
    assert version(port) == "1"
    run("down")
    assert not docker.run("ps", "-aq", "--filter", f"name={prefix}")


def test_a_swarm_runs_a_service(swarm: Docker, prefix: str) -> None:
    port, image = free_port(), swarm.image(f"{prefix}:1", "1")
    publish = f"mode=host,published={port},target=8000"
    swarm.run("service", "create", "-d", "--name", prefix, "--publish", publish, "--no-resolve-image", image)
    assert version(port) == "1"


def test_systemd_runs_a_unit_and_proxyswitch(systemd: Systemd, prefix: str) -> None:
    systemd.write(f"/etc/systemd/system/{prefix}.service", UNIT.format(port=8123))
    systemd.run("systemctl", "daemon-reload")
    systemd.run("systemctl", "start", prefix)
    assert until(lambda: "version 1 listens" in systemd.run("journalctl", "--no-pager", "-u", prefix) or None, LIMIT)
    with urllib.request.urlopen(f"http://{systemd.address}:8123/", timeout=5) as reply:
        assert json.loads(reply.read())["version"] == "1"
    for user in ("root", USER):
        done = systemd.proxyswitch("--version", user=user)
        assert done.returncode == 0, done.stderr
        assert "proxyswitch" in done.stdout
    systemd.run("systemctl", "start", "nginx")
    assert systemd.run("busybox", "wget", "-q", "-O", "-", "http://127.0.0.1/")
    systemd.run("systemctl", "stop", "nginx", prefix)


def test_a_user_has_a_manager_of_its_own(systemd: Systemd, prefix: str) -> None:
    unit = f"/home/{USER}/.config/systemd/user/{prefix}.service"
    systemd.write(unit, UNIT.format(port=8124), user=USER)
    systemd.run("systemctl", "--user", "daemon-reload", user=USER)
    systemd.run("systemctl", "--user", "start", prefix, user=USER)
    assert systemd.run("systemctl", "--user", "is-active", prefix, user=USER) == "active"
    journal = ("journalctl", "--user", "--no-pager", "-u", prefix)
    assert until(lambda: "version 1 listens" in systemd.run(*journal, user=USER) or None, LIMIT)
    systemd.run("systemctl", "--user", "stop", prefix, user=USER)


def test_pm2_runs_a_cluster_and_reloads_it(pm2: Pm2) -> None:
    port = free_port()
    env = {"PORT": str(port), "VERSION": "1"}
    pm2.run("start", str(APPS / "server.js"), "--name", "web", "-i", "2", "--wait-ready", env=env)
    assert version(port) == "1"
    before = {process["pid"] for process in pm2.list()}
    pm2.run("reload", "web", "--update-env", env=env | {"VERSION": "2"})
    assert version(port) == "2"
    after = pm2.list()
    assert [process["pm2_env"]["status"] for process in after] == ["online", "online"]
    assert not before & {process["pid"] for process in after}


def test_gunicorn_answers() -> None:
    port = free_port()
    argv = [sys.executable, "-m", "gunicorn", "--chdir", str(APPS), "-w", "2", "-b", f"127.0.0.1:{port}", "wsgi:app"]
    with subprocess.Popen(argv, env={**os.environ, "VERSION": "1"}, stderr=subprocess.DEVNULL) as master:
        try:
            assert version(port) == "1"
        finally:
            master.terminate()
        assert master.wait(LIMIT) == 0
