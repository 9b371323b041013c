"""What `generate systemd-timer` makes: a timer that fires, and a line of cron, each of which releases or switches."""

from __future__ import annotations

import re
import sys

import pytest

from tests.e2e.shop import toml
from tests.e2e.systemd_support import Units, eventually, units
from tests.ports import free_port
from tests.runners.systemd import APP, USER, Systemd

pytestmark = pytest.mark.root
PROGRAM = '#!/bin/sh\nPROXYSWITCH_STATE={folder}/state exec {python} -m proxyswitch "$@"\n'
CRON = ("env", "-i", "SHELL=/bin/sh", "LOGNAME=root", "HOME=/root", "PATH=/usr/bin:/bin")


def make(web: Units, *words: str) -> None:
    """Write the files of a kind to their usual place, and let systemd read them."""
    web.write("proxyswitch", PROGRAM.format(folder=web.folder, python=sys.executable), mode="755")
    words = ("--name", web.name, *words, "--program", f"{web.folder}/proxyswitch")
    web.run("generate", "systemd-timer", *words, "--settings", f"{web.folder}/proxyswitch.toml", "--write")
    web.systemctl("daemon-reload")


def remove(web: Units, unit: str) -> None:
    web.systemd.exec("systemctl", f"--{web.scope}", "stop", f"{unit}.timer", f"{unit}.service", user=web.who)


def state(web: Units, unit: str) -> tuple[str, str]:
    said = web.systemctl("show", unit, "--property=ActiveState,Result").splitlines()
    values = dict(line.split("=", 1) for line in said)
    return values["ActiveState"], values["Result"]


@pytest.mark.parametrize("who", ["root", USER])
def test_a_timer_releases_at_its_time(systemd: Systemd, prefix: str, who: str) -> None:
    with units(systemd, prefix, who) as web:
        unit = f"{web.name}-deploy"
        try:
            make(web, "--run", "deploy web --version 2", "--at", "*:*:0/2", "--scope", web.scope)
            web.systemctl("enable", "--now", "--quiet", f"{unit}.timer")
            assert f"{unit}.timer" in web.systemctl("list-timers", "--all")
            eventually(lambda: web.version() == "2")
            eventually(lambda: state(web, f"{unit}.service") == ("inactive", "success"))
        finally:
            remove(web, unit)
        assert web.instances() == {"green": "2"}


def test_a_service_waits_for_another_release_at_work(systemd: Systemd, prefix: str) -> None:
    with units(systemd, prefix) as web:
        deploy, there = f"{web.name}-deploy.service", f"{web.folder}/there"
        hold = f"[ ! -e {there} ] || exit 0; touch {there} {there}.held; while [ -e {there}.held ]; do sleep 0.1; done"
        web.configure(hooks_before_switch=hold)
        busy = web.spawn("deploy", "web", "--version", "2")
        eventually(lambda: systemd.exec("test", "-e", f"{there}.held").returncode == 0)
        words = ("--run", "deploy web --version 3", "--at", "yearly")
        make(web, *words, "--wait", "100ms")
        assert systemd.exec("systemctl", "start", deploy).returncode == 1
        assert web.systemctl("show", deploy, "--property=ExecMainStatus", "--value") == "75"
        make(web, *words)
        web.systemctl("start", "--no-block", deploy)
        eventually(lambda: state(web, deploy)[0] == "activating")
        systemd.run("rm", f"{there}.held")
        busy.communicate(timeout=60)
        eventually(lambda: state(web, deploy) == ("inactive", "success"))
        assert web.version() == "3"


def test_an_app_that_it_started_itself_goes_on_and_cron_says_nothing(systemd: Systemd, prefix: str) -> None:
    """systemd ends what a service leaves; with the process driver that would be the app."""
    web = Units(systemd, prefix)
    port = free_port()
    try:
        table = {"command": ["/bin/sh", "-c", f"VERSION=$APP_VERSION exec python3 {APP}"], "env": {"HOST": "0.0.0.0"}}
        app = {"slots": {"main": f"127.0.0.1:{port}"}, "strategy": "stop-start", "watch": "100ms", "process": table}
        rows = "".join(f"{key} = {toml(value)}\n" for key, value in app.items())
        web.write("proxyswitch.toml", f"[apps.web]\n{rows}")
        make(web, "--run", "deploy web --version 1%", "--at", "yearly")
        web.systemctl("start", f"{web.name}-deploy.service")
        assert state(web, f"{web.name}-deploy.service") == ("inactive", "success")
        assert web.version(port) == "1%"
        make(web, "--run", "deploy web --version 2%", "--cron", "5 3 * * *")
        line = systemd.run("cat", f"/etc/cron.d/{web.name}-deploy").splitlines()[-1]
        found = re.fullmatch(r"5 3 \* \* \* root (.*)", line)
        assert found
        done = systemd.exec(*CRON, "/bin/sh", "-c", found[1].replace("\\%", "%"), cwd="/root")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert web.version(port) == "2%"
    finally:
        remove(web, f"{web.name}-deploy")
        systemd.exec("rm", "-f", f"/etc/cron.d/{web.name}-deploy")
        web.systemd.proxyswitch("stop", "web", "--force", env=web.env, cwd=web.folder)
