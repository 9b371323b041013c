"""`proxyswitch init` where systemd runs the app: its units are found by the processes, and released as proposed."""

from __future__ import annotations

import tomllib

import pytest

from tests.e2e.support import REPO
from tests.e2e.systemd_support import USER, units
from tests.runners.systemd import Systemd

pytestmark = pytest.mark.root


@pytest.mark.parametrize("who", ["root", USER])
def test_units_are_released(systemd: Systemd, prefix: str, who: str) -> None:
    with units(systemd, prefix, who, live="") as web:
        env = {**web.env, "PYTHONPATH": str(REPO)}
        web.run("start", "web:blue", "--version", "1", env=env)
        systemd.run("rm", f"{web.folder}/proxyswitch.toml", user=who)
        web.run("init", "--write", "--nginx-conf", f"{web.folder}/nginx.conf", env=env)
        tree = tomllib.loads(systemd.run("cat", f"{web.folder}/proxyswitch.toml", user=who))
        app = tree["apps"]["web"]
        scope = {} if who == "root" else {"scope": "user"}
        assert app["systemd"] == {"unit": f"{web.name}@{{slot}}", **scope}
        assert app["slots"]["blue"] == f"127.0.0.1:{web.blue}"
        assert set(app["slots"]) == {"blue", "green"}
        assert app["health"] == {"url": "http://{address}/health"}
        done = web.run("deploy", "web", "--version", "2", env=env)
        assert done.stdout.startswith("web: 1 (blue) → 2 (green)")
        assert web.version() == "2"


def test_a_unit_is_replaced_in_place(systemd: Systemd, prefix: str) -> None:
    """One that has no instances, and starts with the machine."""
    with units(systemd, prefix, live="") as web:
        port = web.blue
        web.unit(f"Environment=PORT={port} APP_VERSION=1", web.name)
        web.systemctl("start", web.name)
        env = {**web.env, "PYTHONPATH": str(REPO)}
        systemd.run("rm", f"{web.folder}/proxyswitch.toml")
        check = ("health", f"http://127.0.0.1:{port}/health", "--wait", "20s")
        web.run(*check, env=env)
        web.run("init", "--write", "--nginx-conf", f"{web.folder}/nginx.conf", env=env)
        app = tomllib.loads(systemd.run("cat", f"{web.folder}/proxyswitch.toml"))["apps"]["web"]
        assert app["systemd"] == {"unit": web.name, "reload": "try-restart"}
        assert app["slots"] == {"main": f"127.0.0.1:{port}"}
        web.run("deploy", "web", "--version", "2", env=env)
        assert web.version() == "2"
