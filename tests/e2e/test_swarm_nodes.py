"""Several machines: engines that are no managers, a service on two nodes, and a manager that crashes in mid-release."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.haproxy_support import HaproxyBench, haproxy_bench
from tests.e2e.shop import wait
from tests.e2e.support import LIMIT
from tests.e2e.swarm_support import POOLS, REDISPATCH, SwarmShop
from tests.runners.docker import Docker
from tests.runners.nodes import Node, nodes

pytestmark = pytest.mark.root
VERSIONS = ("1", "2", "3")


@dataclass
class Cluster(SwarmShop):
    """The app `web` on the machines: proxyswitch talks to the manager from outside."""

    machines: list[Node] = field(default_factory=list)

    @property
    def manager(self) -> Node:
        return self.machines[0]

    def settle(self, **changes: Any) -> None:
        self.configure(host=self.manager.host, **{"drain": "1s", **changes})

    def create(self, replicas: int, publish: str = "") -> None:
        """The service, and version 1 in so many tasks."""
        flags = ("--replicas", "0", "--stop-grace-period", "1s", "--publish", f"mode=host,target=8000{publish}")
        self.manager.run("service", "create", "--detach", "--no-resolve-image", "--name", self.prefix, *flags, "shop:1")
        self.settle(replicas=replicas)
        self.deploy("1")
        self.settle()

    def where(self) -> set[str]:
        """The machines that the pool sends requests to."""
        return {place.rpartition(":")[0] for place in self.run("get", "app_backend").out.split()}

    def running(self) -> set[str]:
        """The machines that tasks run on, as Docker says."""
        tasks = self.manager.run("service", "ps", "-q", "-f", "desired-state=running", self.prefix).split()
        used = self.manager.run("inspect", "--format", "{{.NodeID}}", *tasks).split()
        return {node.address for node in self.machines if node.run("info", "--format", "{{.Swarm.NodeID}}") in used}

    def serves(self, *versions: str) -> None:
        assert {self.service.answer(place) for place in self.run("get", "app_backend").out.split()} == set(versions)
        assert self.service.answer(f"127.0.0.1:{self.bench.port}") in versions
        assert self.journals() == []

    def in_the_middle(self) -> bool:
        """Some tasks are of version 2, some are not."""
        images = self.manager.run("service", "ps", "-f", "desired-state=running", "--format", "{{.Image}}", self.prefix)
        return set(images.split()) == {"shop:1", "shop:2"}


@pytest.fixture(scope="module")
def machines(docker: Docker) -> Iterator[list[Node]]:
    """A swarm of two."""
    with nodes(docker, "manager", "worker") as (manager, worker):
        manager.run("swarm", "init", "--advertise-addr", manager.address)
        token = manager.run("swarm", "join-token", "-q", "worker")
        worker.run("swarm", "join", "--token", token, f"{manager.address}:2377")
        for node in (manager, worker):
            for version in VERSIONS:
                node.image(f"shop:{version}", version)
        yield [manager, worker]


@pytest.fixture
def place(tmp_path: Path, haproxy_binary: str) -> Iterator[HaproxyBench]:
    with haproxy_bench(tmp_path) as made:
        yield made


@pytest.fixture
def web(machines: list[Node], docker: Docker, place: HaproxyBench) -> Iterator[Cluster]:
    """HAProxy runs; there is no service yet."""
    made = Cluster(place, proxy="haproxy", docker=docker, prefix="shop", machines=machines)
    made.settle()
    place.write(made.blue, REDISPATCH, POOLS, green=made.green)
    place.start()
    try:
        yield made
    finally:
        made.close()
        if "shop" in made.manager.run("service", "ls", "--format", "{{.Name}}").split():
            made.manager.run("service", "rm", "shop")


# engines that are no managers


def test_an_engine_that_is_in_no_swarm(docker: Docker, place: HaproxyBench) -> None:
    place.write(1, REDISPATCH, POOLS)
    with nodes(docker, "alone") as (node,):
        web = Cluster(place, proxy="haproxy", docker=docker, prefix="shop", machines=[node])
        web.settle()
        result = web.deploy("2", code=2)
    assert f"the Docker engine ({node.host}) is not part of a swarm" in result.err
    assert "next: make it one: docker swarm init" in result.err


def test_a_worker(web: Cluster) -> None:
    worker = web.machines[1]
    web.configure(host=worker.host)
    result = web.deploy("2", code=2)
    assert f"the Docker engine ({worker.host}) is a worker: it may not change services" in result.err
    assert "next: run it on a manager" in result.err


# two machines


def test_a_service_on_both(web: Cluster) -> None:
    both = {node.address for node in web.machines}
    web.create(2)
    assert web.where() == both
    web.deploy("2")
    web.serves("2")
    assert web.where() == web.running()  # Swarm may have put both tasks on one
    assert "2 nodes" in web.run("doctor").out


def test_a_fixed_port_and_a_machine_to_spare(web: Cluster) -> None:
    """Each release goes to the other machine; one task, so the pool is a moment behind."""
    web.create(1, ",published=8000")
    first = web.where()
    web.deploy("2")
    web.serves("2")
    assert web.where() == {node.address for node in web.machines} - first


def test_the_manager_crashes_in_mid_release_and_comes_back(web: Cluster) -> None:
    """Swarm goes on with the update; or it cannot, because Docker has forgotten a container or the rest of its work: then
    all goes back. Which of them is Docker's to decide; that it is told, and one version serves, is ours."""
    web.create(2)
    web.settle(update={"monitor": "200ms", "delay": "3s"}, timeout="40s")
    running = web.spawn("2")
    wait(web.in_the_middle)
    web.manager.kill()
    web.manager.start()
    _, err = running.communicate(timeout=4 * LIMIT)
    assert running.returncode == 0 or (running.returncode == 3 and "everything is as before" in err), err
    web.serves("1" if running.returncode else "2")
