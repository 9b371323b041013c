"""What the lookers see: files in folders of the test's own, and processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxyswitch import polling
from proxyswitch.model import Endpoint
from proxyswitch.proposal import compose_text, look, look_docker, look_pm2, look_units
from proxyswitch.proposal.look_listeners import Listeners, release_of
from proxyswitch.proposal.seen import EcosystemApp, Pm2App, Release, Unit
from proxyswitch.system import listening, net

SECRET = "hunter2"
UNIT = f"""\
[Service]
Environment=PASSWORD={SECRET} PORT=3001
ExecStart=/usr/bin/node /srv/web/app.js \\
    --admin-port 4001
ExecReload=/bin/kill -HUP $MAINPID
"""
COMPOSE = f"""\
# a comment
services:
  app-blue:
    image: shop:1
    environment:
      PASSWORD: {SECRET}
    ports:
      - "127.0.0.1:3001:80"
  app-green:
    image: "shop:${{TAG}}"
    ports:
      - target: 80
        published: "3002"
        host_ip: 127.0.0.1
  db:
    image: postgres
    expose:
      - 5432:5432
volumes:
  app-blue: {{}}
"""
HOLD = """\
import os, socket, sys
sock = socket.create_server(("127.0.0.1", 0)) if sys.argv[1] == "0" else socket.socket(socket.AF_UNIX)
if sys.argv[1] != "0":
    sock.bind(sys.argv[1])
    sock.listen()
if "fork" in sys.argv and os.fork() == 0:
    sys.stdin.read()
    sys.exit()
print(sock.getsockname()[1] if sys.argv[1] == "0" else 0, flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(*words: str, at: str = "0", cwd: Path | None = None) -> Iterator[tuple[int, int]]:
    """A process that listens, at a port of the kernel's or at a path: its pid, and its port."""
    argv = [sys.executable, "-c", HOLD, at, *words]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=cwd) as child:
        assert child.stdout
        try:
            yield child.pid, int(child.stdout.readline())
        finally:
            assert child.stdin
            child.stdin.close()  # at which it ends, with all that share it


# units


def test_unit_files(tmp_path: Path) -> None:
    (tmp_path / "web.service").write_text(UNIT)
    (tmp_path / "api@.service").write_text("[Service]\nExecStart=/srv/api --port %i\n")
    (tmp_path / "web.timer").write_text("")
    (tmp_path / "masked.service").symlink_to("/dev/null")
    api, web = look_units.units([("user", str(tmp_path))])
    assert web == Unit("web", "user", str(tmp_path / "web.service"), (3001, 4001), True)
    assert (api.name, api.ports, api.reloads) == ("api@", (), False)
    assert SECRET not in repr(web)


def test_the_unit_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {
        1: "0::/system.slice/system-web.slice/web@blue.service\n",
        2: "12:cpu:/x\n1:name=systemd:/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n",
        3: "0::/user.slice/user-1000.slice/session-2.scope\n",
        4: "0::/system.slice/docker-00ff.scope\n",
        5: "0::/system.slice/web.service/worker\n",
        6: "0::/system.slice/runner.service\n",
        os.getpid(): "0::/system.slice/runner.service\n",
    }
    monkeypatch.setattr("proxyswitch.system.proc.cgroup", lambda pid: groups.get(pid, ""))
    known = [Unit("web@", path="/etc/systemd/system/web@.service"), Unit("web", path="/w.service", reloads=True)]
    assert look_units.unit_of(1, known) == Unit("web@blue", path="/etc/systemd/system/web@.service")
    assert look_units.unit_of(2, known) == Unit("web", "user")
    assert look_units.unit_of(3, known) is None
    assert look_units.unit_of(4, known) is None
    assert look_units.unit_of(5, known) == Unit("web", path="/w.service", reloads=True)
    assert look_units.unit_of(6, known) is None  # where we run ourselves


# compose


def test_a_compose_file_without_compose() -> None:
    blue, green, db = compose_text.services(COMPOSE, "/srv/compose.yaml")
    assert (blue.name, blue.ports, blue.image) == ("app-blue", (3001,), "shop:1")
    assert (green.name, green.ports, green.image) == ("app-green", (3002,), "")
    assert (db.name, db.ports) == ("db", ())


def test_a_compose_file_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(COMPOSE.replace("${TAG}", "1"))
    found = {service.name: service for service in look_docker.described(tmp_path)}
    assert found["app-blue"].ports == (3001,)
    assert found["app-green"].ports == (3002,)
    assert found["app-blue"].files == (str(tmp_path / "compose.yaml"),)
    assert SECRET not in repr(found)
    assert look_docker.described(tmp_path / "none") == []


def test_a_compose_file_that_is_none_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("\t{")
    assert look_docker.described(tmp_path) == []


# PM2


def test_ecosystem_files(tmp_path: Path) -> None:
    apps = [{"name": "web", "env": {"PORT": 3001, "PASSWORD": SECRET}}, {"script": "x"}, 7]
    (tmp_path / "ecosystem.json").write_text(json.dumps({"apps": apps}))
    (tmp_path / "pm2.json").write_text("{")
    (tmp_path / "ecosystem.config.js").write_text(f"require('fs').writeFileSync('{tmp_path}/ran', '')")
    found, notes = look_pm2.ecosystem(tmp_path)
    assert found == [EcosystemApp("web", str(tmp_path / "ecosystem.json"), 3001)]
    assert any("reading it would run it" in note for note in notes)
    assert any("pm2.json was left out" in note for note in notes)
    assert not (tmp_path / "ran").exists()
    assert SECRET not in repr(found)


def test_whose_cluster_a_daemon_listens_for() -> None:
    web, api = Pm2App("web", port=3001, pids=(2,)), Pm2App("api", port=3002, pids=(os.getpid(),))
    assert look_pm2.running(1, 3001, [web, api]) == web
    assert look_pm2.running(os.getpid(), 3001, [web, api]) == api
    assert look_pm2.running(1, 9, [web, api]) is None


# who listens


def test_who_listens(tmp_path: Path) -> None:
    with holding("--password", SECRET, cwd=tmp_path) as (pid, port):
        found = Listeners(listening.table(), ()).at(Endpoint("127.0.0.1", port))
    assert found
    assert found.pid == pid
    assert found.words[0] == sys.executable
    assert (found.masked, found.cwd) == (True, str(tmp_path))
    assert SECRET not in repr(found)
    assert Listeners(listening.Table(), ()).at(Endpoint("127.0.0.1", port)) is None


def test_the_table_agrees_with_a_look_at_one_address(tmp_path: Path) -> None:
    at = Endpoint(path=str(tmp_path / "a.sock"))
    with holding(at=at.path) as (pid, _):
        assert listening.table().pids(at) == net.listeners(at) == [pid]
        assert listening.table().taken(at)
    assert polling.until(lambda: None if listening.table().taken(at) else True, 10.0)


def test_of_those_that_share_a_socket_the_topmost_is_meant() -> None:
    """A master and its workers."""
    with holding("fork") as (pid, port):
        assert listening.table().pids(Endpoint("127.0.0.1", port)) == [pid]
        assert len(net.listeners(Endpoint("127.0.0.1", port))) == 2


def test_the_release_of_a_folder(tmp_path: Path) -> None:
    version = tmp_path / "releases" / "41"
    (version / "api").mkdir(parents=True)
    assert release_of(str(version)) is None
    (tmp_path / "current").symlink_to("releases/41")
    wanted = str(tmp_path / "releases" / "{version}")
    assert release_of(str(version)) == Release(str(tmp_path / "current"), wanted)
    assert release_of(str(version / "api")) == Release(str(tmp_path / "current/api"), f"{wanted}/api")
    assert release_of(str(version), str(tmp_path / "current")) == Release(str(tmp_path / "current"), wanted, True)
    assert release_of("") is None
    assert release_of("/") is None


def test_a_free_place_is_given_once_and_is_no_ones(tmp_path: Path) -> None:
    with holding() as (_, port):
        table = listening.table()
        ends = [Endpoint("127.0.0.1", 80), Endpoint("127.0.0.1", port - 1), Endpoint(path=str(tmp_path / "a.sock"))]
        found = look._free(ends, set(ends), table)
    assert found[ends[0]].port >= 1024
    assert found[ends[1]].port > port
    assert found[ends[2]].path == str(tmp_path / "a-green.sock")
    (tmp_path / "a-green.sock").write_text("")
    assert look._free(ends[2:], set(ends), table)[ends[2]].path == str(tmp_path / "a-2.sock")


def test_what_is_ours() -> None:
    assert net.is_ours("127.0.0.1")
    assert net.is_ours("::1") or not Path("/proc/net/if_inet6").exists()
    assert not net.is_ours("192.0.2.1")  # RFC 5737: nobody's
