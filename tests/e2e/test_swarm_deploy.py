"""`deploy` of an app that is a service of a swarm: the good way, and every way in which it can fail."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.compose_support import Relay
from tests.e2e.haproxy_support import haproxy_bench
from tests.e2e.shop import wait
from tests.e2e.support import LIMIT, bench
from tests.e2e.swarm_support import POOLS, REDISPATCH, SwarmShop, alone
from tests.e2e.test_user import USER, code, readable_python
from tests.runners.docker import Docker

__all__ = ["code"]
pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def _engine(swarm: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in swarm.env.items():
        monkeypatch.setenv(key, value)


@pytest.fixture(scope="module")
def shared(swarm: Docker, haproxy_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmShop]:
    """One service for all tests that leave everything as before."""
    with alone(swarm, tmp_path_factory.mktemp("shop"), "--stop-grace-period", "1s") as made:
        made.images("2-exits", "2-never", "2-dies", "2-deaf")
        yield made


@pytest.fixture
def web(shared: SwarmShop) -> Iterator[SwarmShop]:
    """Version 1 serves, and still does at the end."""
    shared.configure()
    yield shared
    shared.serves("1")
    assert len(shared.tasks()) == 2


# the good way


def test_there_and_back(web: SwarmShop) -> None:
    """The second version does not hear that it should end."""
    result = web.deploy("2-deaf", "--json")
    assert (result.json["from"]["version"], result.json["to"]["version"]) == ("1", "2-deaf")
    web.serves("2-deaf")
    assert web.update() == "completed"
    again = web.deploy("2-deaf")
    assert (again.out, again.err) == ("", "")

    back = web.run("rollback", "web")
    assert back.code == 0, back.err
    assert "did not end within 1.0 s: Swarm killed it" in back.err
    assert web.update() == "rollback_completed"  # by Swarm's own memory
    status = web.run("status", "web", "--json").json["apps"][0]["slots"][0]
    assert (status["version"], status["live"], status["healthy"]) == ("1", True, True)
    assert "version 1 listens" in web.run("logs", "web").out


def test_what_swarm_did_between_releases(web: SwarmShop) -> None:
    """All tasks are at other ports, which the pool gets now; and Swarm remembers only what was before that."""
    web.deploy("2")
    web.docker.run("service", "update", "--detach=false", "--quiet", "--force", web.prefix)
    assert web.service.versions() == {"2"}
    assert "none" in {web.service.answer(place) for place in web.run("get", "app_backend").out.split()}
    back = web.run("rollback", "web")
    assert (back.code, web.update()) == (0, "completed"), back.err


def test_behind_nginx(swarm: Docker, nginx_binary: str, tmp_path: Path) -> None:
    with swarm.prefixed() as prefix, bench(tmp_path) as place:
        web = SwarmShop(place, docker=swarm, prefix=prefix)
        web.images("1", "2")
        web.service.create()
        web.configure(replicas=2)
        place.write(place.instance("0"))
        place.start()
        web.deploy("1")
        web.serves("1")
        web.deploy("2")
        web.serves("2")
        assert len(web.run("get", "app_backend").out.split()) == 2


# a new version that is no good


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("2-exits", "cannot reach the database: the last line"),
        ("2-never", "its health check: "),
        ("nowhere", "No such image"),
    ],
)
def test_swarm_has_gone_back_and_that_is_a_failure(web: SwarmShop, version: str, said: str) -> None:
    """Docker's own command ends with 0 here."""
    result = web.deploy(version, code=3)
    assert f"Swarm did not bring {web.prefix} to the new version: task " in result.err
    assert said in result.err
    assert "everything is as before: web 1 serves from slot main" in result.err
    assert web.update() == "rollback_completed"


@pytest.mark.parametrize("action", ["pause", "continue"])
def test_swarm_stands_still_or_goes_on_and_we_go_back(web: SwarmShop, action: str) -> None:
    quick = {"monitor": "200ms", "failure_action": action}
    web.configure(update=quick, rollback={"monitor": "200ms"})
    result = web.deploy("2-exits", code=3)
    assert "the last line" in result.err
    assert "everything is as before: web 1 serves from slot main" in result.err


def test_a_version_that_dies_after_the_switch(web: SwarmShop) -> None:
    web.configure(watch="20s")
    result = web.deploy("2-dies", code=3)
    assert "died after 2 s: the last line" in result.err
    assert any(e["kind"] == "switch" for e in web.history())


# what is wrong before anything is begun


def test_no_such_service(web: SwarmShop) -> None:
    web.configure(service="t-nowhere")
    result = web.deploy("2", code=2)
    assert "there is no service t-nowhere" in result.err
    assert "docker service create --name t-nowhere" in result.err


def test_a_fixed_port(swarm: Docker, haproxy_binary: str, tmp_path: Path) -> None:
    """No second task can have it on the same node."""
    with haproxy_bench(tmp_path) as place, swarm.prefixed() as prefix:
        web = SwarmShop(place, proxy="haproxy", docker=swarm, prefix=prefix)
        web.images("1")
        web.service.create("--publish", f"mode=host,target=8000,published={web.blue}", replicas=1, image=f"{prefix}:1")
        web.configure(slots={"main": f"127.0.0.1:{web.blue}"})
        place.write(web.blue, REDISPATCH, POOLS)
        place.start()
        wait(lambda: web.service.answer(f"127.0.0.1:{web.blue}") == "1")
        result = web.deploy("2", code=2)
        assert f"publishes the fixed port {web.blue} on each node: start-first needs a node more" in result.err
        assert 'order = "stop-first"' in result.err
        web.images("2")
        first = {"order": "stop-first", "monitor": "200ms"}
        web.configure(slots={"main": f"127.0.0.1:{web.blue}"}, update=first, rollback=first)
        web.deploy("2")
        assert place.version() == "2"
        assert "one task, and stop-first" in web.run("doctor").out


def test_no_docker_on_the_machine(web: SwarmShop, tmp_path: Path) -> None:
    result = web.run("deploy", "web", "--version", "2", env={"PATH": str(tmp_path)})
    assert result.code == 2, result.err
    assert "there is no program docker in PATH" in result.err
    assert "next: install it: apt-get install docker.io" in result.err


def test_no_engine(web: SwarmShop, tmp_path: Path) -> None:
    result = web.run("deploy", "web", "--version", "2", env={"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"})
    assert result.code == 2, result.err
    assert f"the Docker engine (unix://{tmp_path}/docker.sock) does not answer" in result.err
    assert "next: start it" in result.err


def test_an_ordinary_user_may_not(swarm: Docker, haproxy_binary: str, prefix: str, code: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-user-"))
    try:
        with haproxy_bench(folder, USER, readable_python(USER), str(code)) as place:
            theirs = SwarmShop(place, proxy="haproxy", docker=swarm, prefix=prefix)
            theirs.configure()
            place.write(theirs.blue, REDISPATCH, POOLS)
            result = theirs.run("deploy", "web", "--version", "2")
            assert result.code == 2, result.err
            assert "permission denied" in result.err
            assert "usermod -aG docker" in result.err
    finally:
        shutil.rmtree(folder)


# the engine, and we ourselves, gone in the middle


def test_the_engine_goes_away_in_the_middle(web: SwarmShop, tmp_path: Path) -> None:
    with Relay(tmp_path / "docker.sock", web.docker.host) as relay:
        running = web.spawn("2-never", env=relay.env)
        wait(lambda: any(image.endswith("2-never") for image in web.tasks().values()))
        relay.cut()
        _, err = running.communicate(timeout=2 * LIMIT)
        assert running.returncode == 4, err
        assert f"the Docker engine (unix://{relay.path}) does not answer" in err
        assert f"docker service ps {web.prefix} shows what runs" in err
        relay.restore()
        result = web.run("recover", env=relay.env)
        assert result.code == 0, result.err


def test_we_are_killed_in_the_middle(web: SwarmShop) -> None:
    web.configure(update={"monitor": "200ms", "delay": "20s"})
    running = web.spawn("2")
    wait(lambda: any(image.endswith(":2") for image in web.tasks().values()))
    running.send_signal(signal.SIGKILL)
    running.wait()
    result = web.run("recover")
    assert result.code == 0, result.err
    assert "took back" in result.err


def test_we_are_killed_after_the_switch(web: SwarmShop) -> None:
    web.configure(hooks={"after_switch": "touch waiting; exec sleep 600"})
    running = web.spawn("2")
    wait((web.bench.folder / "waiting").exists)
    assert web.bench.version() == "2"
    running.send_signal(signal.SIGKILL)
    running.wait()
    web.configure()
    assert web.run("recover").code == 0


def test_doctor(web: SwarmShop) -> None:
    result = web.run("doctor")
    assert "app web: Docker Swarm, engine " in result.out, result.out + result.err
    assert "Swarm waits 0.3 s: too short for the pool app_backend to follow" in result.out
