"""What `generate systemd` makes, run by a real systemd: releases under load, what the app may not do, and its end."""

from __future__ import annotations

import json
import re
import shlex
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from proxyswitch.polling import until
from tests.e2e.generated_units import USER, generated
from tests.e2e.systemd_support import eventually
from tests.e2e.test_gunicorn_unit import One
from tests.runners.systemd import Systemd

pytestmark = pytest.mark.root
EXPOSURE = re.compile(r"Overall exposure level for \S+ (\d+\.\d+)")


def test_ten_releases_fail_no_request_and_no_version_writes_where_it_may_not(systemd: Systemd, prefix: str) -> None:
    with generated(systemd, prefix, "--writable", f"/srv/{prefix}/uploads", "--memory", "256M", "--tasks", "64") as web:
        web.run("adopt", "web", "--blue", f"127.0.0.1:{web.blue}", "--green", f"127.0.0.1:{web.green}", "--yes")
        kinds = {"keepalive": 2, "closing": 1, "idle": 2, "long": 1, "uploads": 1}
        with Load(Endpoint(systemd.address, web.port), **kinds, long_seconds=0.5) as load:
            for version in range(2, 12):
                web.put(str(version))
                web.deploy(str(version))
        seen = load.stop()
        assert (seen.failures, seen.reused_closed) == (0, 0), (seen.by_kind, seen.errors)
        versions = {str(version) for version in range(1, 12)}
        assert set(seen.by_version) == versions
        assert (web.wrote("open"), web.wrote("uploads")) == (set(), versions)
        said = systemd.run("systemd-analyze", "security", "--no-pager", f"{web.name}@green.service")
        found = EXPOSURE.search(said.replace(":", ""))
        assert found, said
        assert float(found[1]) < 3, said
        assert web.show("green", "TasksMax") == "64"
        web.run("doctor")


def test_requests_have_the_grace_to_end(systemd: Systemd, prefix: str) -> None:
    with generated(systemd, prefix, "--grace", "20s", "--writable", f"/srv/{prefix}/uploads") as web:
        assert web.show("blue", "TimeoutStopUSec") == "25s"
        with socket.create_connection((systemd.address, web.port), timeout=30) as slow:
            slow.sendall(b"GET /slow?seconds=2 HTTP/1.1\r\nHost: web\r\n\r\n")
            web.systemctl("stop", f"{web.name}@blue")
            assert slow.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert web.show("blue", "Result") == "success"


def test_one_that_dies_comes_up_again_until_it_dies_too_often(systemd: Systemd, prefix: str) -> None:
    with generated(systemd, prefix, "--writable", f"/srv/{prefix}/uploads") as web:
        died: set[str] = set()

        def given_up() -> bool:
            if (pid := web.show("blue", "MainPID")) != "0":
                systemd.exec("systemctl", "kill", "--signal=KILL", f"{web.name}@blue")
                died.add(pid)
            return web.show("blue", "ActiveState") == "failed"

        eventually(given_up)
        assert len(died) > 3


def test_in_a_users_own_manager(systemd: Systemd, prefix: str) -> None:
    with generated(systemd, prefix, who=USER) as web:
        web.put("2")
        web.deploy("2")
        assert (web.instances(), web.version()) == ({"green": "2"}, "2")
        assert web.show("green", "NoNewPrivileges") == "yes"
        status = systemd.run("cat", f"/proc/{web.show('green', 'MainPID')}/status")
        assert re.search(r"^Seccomp:\s+2$", status, re.M)  # its system calls are filtered


def test_a_command_gets_its_words_as_they_are(systemd: Systemd, prefix: str) -> None:
    words = ["a b", 'c"d', "e;f", ";", "g%h", "$HOME", "${HOME}", "i\\j", "k'l", "", "#m", "\\", "é"]
    tells = f"import json, sys; open('/srv/{prefix}/words', 'w').write(json.dumps(sys.argv[1:]))"
    systemd.run("install", "-d", f"/srv/{prefix}")
    command = shlex.join(["/usr/bin/python3", "-c", tells, *words])
    made = ("--name", prefix, "--unit", prefix, "--user", "root", "--writable", f"/srv/{prefix}", "--command", command)
    done = systemd.proxyswitch("generate", "systemd", *made, "--current", f"/srv/{prefix}", "--write")
    assert done.returncode == 0, done.stderr
    systemd.run("systemctl", "daemon-reload")
    systemd.run("systemctl", "start", prefix)
    told = until(lambda: systemd.exec("cat", f"/srv/{prefix}/words").stdout or None, 60)
    assert json.loads(told or "[]") == words


@dataclass
class Made(One):
    """gunicorn as the unit that `generate` makes of the app's settings."""

    words: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        return [word.replace("{address}", "0.0.0.0:{port}") for word in super().command]

    def service(self, reload: str = "") -> None:
        self.configure()
        self.run("generate", "systemd", "--app", "web", "--user", "root", *self.words, "--write", "--force")
        self.systemctl("daemon-reload")

    def show_one(self, name: str) -> str:
        return self.systemctl("show", self.name, f"--property={name}", "--value")


@pytest.fixture
def made(systemd: Systemd, prefix: str, request: pytest.FixtureRequest) -> Iterator[Made]:
    one = Made(systemd, prefix, words=tuple(word.format(prefix) for word in request.param))
    try:
        one.service()
        one.release("1")
        yield one
    finally:
        one.close()


@pytest.mark.parametrize("made", [(), ("--pidfile", "/run/{0}/{0}.pid")], ids=["notify", "pidfile"], indirect=True)
def test_gunicorn_is_started_reloaded_released_and_stopped(made: Made) -> None:
    pid = made.main_pid()
    assert made.release("2").stdout.startswith("web: 1 → 2 (")
    made.serves("2")
    made.run("rollback", "web")
    made.serves("1")
    assert made.main_pid() == pid
    assert made.show_one("ProtectSystem") == "strict"
    made.run("stop", "web", "--force")
    assert made.show_one("ActiveState") == "inactive"
