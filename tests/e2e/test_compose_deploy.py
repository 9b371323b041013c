"""`deploy` of an app that is two services of a compose file: the good way, and every way in which it can fail."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.drivers.compose.project import MARK
from proxyswitch.system import proc
from tests.e2e.compose_support import ComposeShop, Relay, nginx_shop
from tests.e2e.shop import wait
from tests.e2e.support import LIMIT, bench
from tests.e2e.test_user import USER, code, readable_python
from tests.runners.docker import Docker

__all__ = ["code"]
pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def shared(docker: Docker, nginx_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeShop]:
    """One shop for all tests that leave everything as before."""
    with docker.prefixed() as prefix, nginx_shop(docker, prefix, tmp_path_factory.mktemp("shop")) as made:
        made.images("2-exits", "2-never", "2-dies")
        yield made


@pytest.fixture
def web(shared: ComposeShop) -> Iterator[ComposeShop]:
    """Version 1 is live in slot blue, and still is at the end: the same container; nothing else has changed."""
    shared.configure()
    before = (shared.others(), [c["Id"] for c in shared.world.containers("app-blue")])
    yield shared
    assert shared.instances() == {"blue": "1"}
    assert shared.bench.version() == "1"
    assert shared.live() == "blue"
    assert shared.journals() == []
    assert (shared.others(), [c["Id"] for c in shared.world.containers("app-blue")]) == before


@pytest.fixture
def alone(docker: Docker, nginx_binary: str, prefix: str, tmp_path: Path) -> Iterator[ComposeShop]:
    """The same for a test that changes it."""
    with nginx_shop(docker, prefix, tmp_path) as made:
        yield made


# the good way


def test_each_release_takes_the_other_slot_and_a_rollback_the_very_image(alone: ComposeShop) -> None:
    others = alone.others()
    result = alone.deploy("2", "--json")
    assert (result.json["from"], result.json["to"]) == (
        {"slot": "blue", "version": "1"},
        {"slot": "green", "version": "2"},
    )
    assert (alone.instances(), alone.bench.version(), alone.live()) == ({"green": "2"}, "2", "green")
    again = alone.deploy("2")
    assert (again.out, again.err) == ("", "")

    first = alone.docker.run("image", "inspect", "-f", "{{.Id}}", f"{alone.prefix}:1")
    assert alone.history()[-1]["old_artefact"] == first
    alone.docker.image(f"{alone.prefix}:1", "another 1")  # the tag moves
    back = alone.run("rollback", "web")
    assert back.code == 0, back.err
    assert alone.bench.version() == "1"
    assert alone.instances() == {"blue": "1"}
    assert alone.world.containers("app-blue")[0]["Image"] == first
    assert alone.others() == others

    status = alone.run("status", "web", "--json").json["apps"][0]["slots"][0]
    assert (status["version"], status["live"], status["healthy"]) == ("1", True, True)
    assert "version 1 listens" in alone.run("logs", "web:blue").out


def test_version_1_of_compose(alone: ComposeShop, compose1: list[str]) -> None:
    """It goes on with what version 2 has begun."""
    others = alone.others()
    alone.configure(program=" ".join(compose1))
    alone.deploy("2")
    assert (alone.instances(), alone.bench.version()) == ({"green": "2"}, "2")
    back = alone.run("rollback", "web")
    assert back.code == 0, back.err
    assert (alone.instances(), alone.bench.version(), alone.others()) == ({"blue": "1"}, "1", others)


def test_our_own_health_check_where_the_container_has_none(alone: ComposeShop) -> None:
    for version, fault in (("2", ""), ("3", "never-ready")):
        alone.world.image(version, fault, health="")
    alone.configure(health={"url": "http://{address}/health", "json": {"version": "{version}"}, "total": "4s"})
    alone.deploy("2")
    assert (alone.instances(), alone.bench.version()) == ({"green": "2"}, "2")
    result = alone.deploy("3", code=3)
    assert "503" in result.err
    assert "the last lines of its log:\n  | version 3 listens" in result.err
    assert (alone.instances(), alone.bench.version()) == ({"green": "2"}, "2")


def test_a_stop_that_hangs_is_killed_and_said(alone: ComposeShop) -> None:
    alone.images("2-deaf")
    alone.configure(grace="1s")
    alone.deploy("2-deaf")
    result = alone.deploy("1")
    assert f"warning: {alone.prefix}-app-green-1 did not end within 1.0 s and was killed" in result.err
    assert alone.instances() == {"blue": "1"}


# a new version that is no good


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("2-exits", ["ended with status 3", "cannot reach the database: the last line"]),
        ("2-never", ["web 2-never was not healthy within 4.0 s, says compose", "its health check:", "2-never listens"]),
    ],
)
def test_a_version_that_does_not_come_up(web: ComposeShop, version: str, said: list[str]) -> None:
    web.configure(health={"total": "4s"})
    result = web.deploy(version, code=3)
    assert all(words in result.err for words in said), result.err
    assert "everything is as before: web 1 serves from slot blue" in result.err


def test_a_version_that_dies_after_the_switch(web: ComposeShop) -> None:
    web.configure(watch="20s")
    result = web.deploy("2-dies", code=3)
    assert "died after 2 s: the last line" in result.err
    assert any(e["kind"] == "switch" for e in web.history())


def test_a_version_that_the_engine_starts_again_and_again_is_dead(web: ComposeShop) -> None:
    text = web.world.file.read_text()
    web.world.file.write_text(text.replace("    environment:\n      SLOT: green\n", "    restart: always\n"))
    try:
        result = web.deploy("2-exits", code=3)
    finally:
        web.world.file.write_text(text)
    assert "Docker has started it again" in result.err


def test_a_version_that_has_no_image(web: ComposeShop) -> None:
    result = web.deploy("nowhere", code=3)
    assert f"docker compose up app-green with {web.prefix}:nowhere: it ended with status" in result.err
    assert f"next: the image {web.prefix}:nowhere is not on this machine: build or pull it first" in result.err


# what is wrong before anything is begun


def test_an_address_that_the_service_does_not_publish(web: ComposeShop) -> None:
    web.configure(slots={"blue": f"127.0.0.1:{web.blue}", "green": "127.0.0.1:9"})
    result = web.deploy("2", code=2)
    assert f"the service app-green publishes 127.0.0.1:{web.green}, not 127.0.0.1:9" in result.err


def test_a_service_that_the_app_depends_on_does_not_run(alone: ComposeShop) -> None:
    alone.world.compose("stop", "-t", "0", "db")
    result = alone.deploy("2", code=2)
    assert "the service db, which app-green depends on, does not run" in result.err
    assert "docker compose up -d db" in result.err
    alone.world.file.write_text("services: [")
    result = alone.deploy("2", code=2)
    assert "compose cannot use it" in result.err
    alone.world.file.unlink()
    result = alone.deploy("2", code=2)
    assert "there is no compose file in" in result.err
    assert alone.instances() == {"blue": "1"}


def test_no_docker_on_the_machine(web: ComposeShop, tmp_path: Path) -> None:
    result = web.run("deploy", "web", "--version", "2", env={"PATH": str(tmp_path)})
    assert result.code == 2, result.err
    assert "there is no program docker in PATH" in result.err
    assert "next: install it: apt-get install docker.io" in result.err


def test_no_engine(web: ComposeShop, tmp_path: Path) -> None:
    result = web.run("deploy", "web", "--version", "2", env={"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"})
    assert result.code == 2, result.err
    assert f"the Docker engine at unix://{tmp_path}/docker.sock does not answer" in result.err
    assert "next: start it" in result.err


def test_an_ordinary_user_may_not(docker: Docker, nginx_binary: str, prefix: str, code: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-user-"))
    try:
        with bench(folder, USER, readable_python(USER), str(code)) as place:
            theirs = ComposeShop(place, docker=docker, prefix=prefix)
            theirs.world.write()
            theirs.configure()
            place.write(theirs.blue)
            result = theirs.run("deploy", "web", "--version", "2")
            assert result.code == 2, result.err
            assert f"no permission to talk to the Docker engine at {docker.host}" in result.err
            assert "usermod -aG docker" in result.err
    finally:
        shutil.rmtree(folder)


# the engine, and we ourselves, killed in the middle


def test_the_engine_goes_away_in_the_middle(web: ComposeShop, tmp_path: Path) -> None:
    with Relay(tmp_path / "docker.sock", web.docker.host) as relay:
        the_engine_goes_away(web, relay)


def the_engine_goes_away(web: ComposeShop, relay: Relay) -> None:
    web.configure(hooks={"after_switch": "touch waiting; while [ -e waiting ]; do sleep 0.05; done"}, watch="20s")
    flag = web.bench.folder / "waiting"
    running = web.spawn("2", env=relay.env)
    wait(flag.exists)
    relay.cut()
    flag.unlink()
    _, err = running.communicate(timeout=LIMIT)
    assert running.returncode == 4, err
    assert f"the Docker engine at {relay.env['DOCKER_HOST']} does not answer" in err
    assert "it could not all be taken back" in err
    assert "state: start web 2 in slot green: " in err
    assert "next: put that right by hand, then run: proxyswitch recover" in err
    assert web.bench.version() == "1"  # the pool was taken back: that needs no engine
    relay.restore()
    web.configure()
    result = web.run("recover", env=relay.env)
    assert result.code == 0, result.err


def test_we_are_killed_while_the_new_version_comes_up(web: ComposeShop) -> None:
    running = web.spawn("2-never")
    wait(lambda: "green" in web.instances())
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert web.run("recover").code == 0


def test_we_are_killed_while_compose_works(web: ComposeShop) -> None:
    """The command that we had started goes on without us: it must not start anything behind the back of `recover`."""
    mark = str(web.bench.state / "apps/web/green.compose.json")
    running = web.spawn("2")
    # not one that only asks, before anything is begun
    wait(lambda: any(" up " in proc.title(process.pid) for process in proc.with_environment(MARK, mark)))
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert web.run("recover").code == 0
    assert proc.with_environment(MARK, mark) == []


def test_doctor(web: ComposeShop) -> None:
    result = web.run("doctor")
    assert "app web: Compose 2." in result.out, result.out + result.err
    assert "Docker 20." in result.out or "Docker 2" in result.out
