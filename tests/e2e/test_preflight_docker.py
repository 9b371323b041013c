"""Room for releases of apps that run in containers: their processes, the groups around them, the disk of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch import preflight
from proxyswitch.drivers import _docker
from proxyswitch.system import proc
from tests.cgroups import Group, memory_group
from tests.drivers.compose_world import SLOTS
from tests.e2e.compose_support import ComposeShop, compose_shop
from tests.e2e.support import bench
from tests.e2e.swarm_support import alone
from tests.runners import engine
from tests.runners.docker import Docker

pytestmark = pytest.mark.root
MB = 2**20


@pytest.fixture(autouse=True)
def _engine(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in docker.env.items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def group() -> Iterator[Group]:
    with memory_group() as made:
        yield made


@pytest.fixture
def web(group: Group, docker: Docker, nginx_binary: str, prefix: str, tmp_path: Path) -> Iterator[ComposeShop]:
    """Version 1 is live in slot blue; the containers of both slots are in the group."""
    with bench(tmp_path) as place, compose_shop(docker, prefix, place) as made:
        text = SLOTS
        for slot in ("blue", "green"):
            text = text.replace(f"  app-{slot}:\n", f"  app-{slot}:\n    cgroup_parent: {group.name}\n")
        made.world.write(text)
        place.write(made.blue)
        place.start()
        started = made.run("start", "web:blue", "--version", "1")
        assert started.code == 0, started.err
        yield made
        docker.remove(prefix)


def test_a_container_has_what_its_processes_have(web: ComposeShop, group: Group) -> None:
    there = web.world.driver().status(web.world.slot())
    assert there
    assert there.process
    assert group.name in proc.cgroup(there.process.pid)
    found = preflight.look("web", web.world.context().app, [there], 1, web.world.state)
    assert found.uses
    name = "total_rss" if group.version == 1 else "anon"
    rows = dict(row.split() for row in (group.folder / "memory.stat").read_text().splitlines())
    assert 0.5 < found.uses / int(rows[name]) < 4
    assert [place.folder for place in found.places] == [str(engine.DATA)]


def test_the_limit_around_the_containers_counts_and_not_the_own_one_of_each(web: ComposeShop, group: Group) -> None:
    (container,) = web.world.containers("app-blue")
    web.docker.run("update", "--memory", "64m", "--memory-swap", "64m", container["Id"])
    web.configure(needs={"memory": "100M"})
    assert web.run("deploy", "web", "--version", "2", "--plan", "--json").json["preflight"] == []
    group.limit(90 * MB)
    result = web.deploy("2", code=3)
    assert f"(limit of the cgroup {group.name}): it would not fit beside what runs" in result.err
    assert web.instances() == {"blue": "1"}
    assert web.bench.version() == "1"
    web.configure()
    web.deploy("2")
    assert web.bench.version() == "2"


def test_images_need_room_on_the_disk_of_the_engine(web: ComposeShop) -> None:
    web.configure(needs={"disk": "900T"})
    result = web.deploy("2", code=3)
    assert f"are free in {engine.DATA}, where Docker keeps its images; web needs 900 TB there, by needs.disk" in result.err
    assert "state: nothing was changed" in result.err
    assert web.instances() == {"blue": "1"}


def test_the_engine_of_another_machine_has_other_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    for host in ("ssh://deploy@shop.example", "tcp://192.0.2.1:2376"):
        monkeypatch.setenv("DOCKER_HOST", host)
        assert _docker.data_root() == ""


def test_tasks_of_a_swarm_may_run_elsewhere(swarm: Docker, haproxy_binary: str, tmp_path: Path) -> None:
    """What is free here proves nothing: it is told, and the release goes on."""
    with alone(swarm, tmp_path, "--stop-grace-period", "1s") as web:
        web.configure(needs={"memory": "900T", "disk": "900T"})
        result = web.deploy("2")
        assert "warning: web needs about 900 TB, by needs.memory;" in result.err
        assert "it may run on another machine" in result.err
        web.serves("2")
