"""`proxyswitch init` where a real Docker engine runs the app: by its containers, whose environment is not looked at."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.e2e.compose_support import nginx_shop
from tests.e2e.support import Bench
from tests.ports import free_port
from tests.runners.docker import Docker

pytestmark = pytest.mark.root
SECRET = "hunter2"


def test_services_of_compose_are_released(docker: Docker, nginx_binary: str, prefix: str, tmp_path: Path) -> None:
    with nginx_shop(docker, prefix, tmp_path) as web:
        pools = web.bench.pools
        pools.write_text(pools.read_text().replace("}", f"    server 127.0.0.1:{web.green} down;\n}}"))
        web.settings.unlink()
        done = web.run("init", "--write", "--json", env={"SECRET": SECRET})
        assert done.code == 0, done.err
        assert SECRET not in done.out + done.err
        app = tomllib.loads(web.settings.read_text())["apps"]["app"]
        assert app["compose"]["service"] == "app-{slot}"
        assert app["compose"]["project"] == prefix
        assert app["slots"] == {"blue": f"127.0.0.1:{web.blue}", "green": f"127.0.0.1:{web.green}"}
        assert f'# image = "{prefix}:{{version}}"' in done.json["text"]
        argv = [sys.executable, "-m", "proxyswitch", "deploy", "app", "--version", "2"]
        env = web.bench.environment(dict(docker.env))
        told = subprocess.run(argv, env=env, cwd=web.bench.folder, capture_output=True, text=True, check=False, timeout=120)
        assert told.returncode == 0, told.stderr
        assert web.bench.version() == "2"


def test_a_service_of_a_swarm(swarm: Docker, prefix: str, place: Bench) -> None:
    port = free_port()
    image = swarm.image(f"{prefix}:1", "1")
    publish = f"mode=host,published={port},target=8000"
    swarm.run(
        *("service", "create", "--name", f"{prefix}_app", "--publish", publish, "--env", f"SECRET={SECRET}"),
        *("--no-resolve-image", "--detach=false", "--quiet", image),
    )
    place.write(port)
    done = place.run("init", env=dict(swarm.env))
    assert done.code == 0, done.err
    assert SECRET not in done.out + done.err
    app = tomllib.loads(done.out)["apps"]["app"]
    assert app["swarm"] == {"service": f"{prefix}_app", "image": f"{prefix}:{{version}}"}
