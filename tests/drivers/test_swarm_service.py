"""What is special about a service of a real swarm: what a release sets, ways back, what persons do meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxyswitch.drivers.base import stays
from proxyswitch.drivers.swarm.client import MARK
from proxyswitch.errors import Failed, NeedsPerson, UsageError
from proxyswitch.model import Health, Instance
from proxyswitch.system import proc, run
from tests.contract.drivers import wait
from tests.runners.docker import Docker
from tests.runners.registry import Registry, registry
from tests.runners.swarm_app import QUICK, Service, service

pytestmark = pytest.mark.root
EVERY_FLAG = """
update = { parallelism = 2, delay = "1s", order = "stop-first", monitor = "400ms", max_failure_ratio = 0.25, \
failure_action = "pause" }
rollback = { parallelism = 3, delay = "2s", order = "start-first", monitor = "500ms", max_failure_ratio = 0.5, \
failure_action = "continue" }
env = { GREETING = "hello from {version}" }
"""


@pytest.fixture(scope="module")
def shared(swarm: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The images are the module's."""
    with service(swarm, tmp_path_factory.mktemp("images"), ("1", "2")) as made:
        made.docker.image(f"{made.name}:blind", "blind", health="")
        yield made


@pytest.fixture
def web(shared: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service that stands at 0; the environment leads to the engine."""
    for key, value in shared.docker.env.items():
        monkeypatch.setenv(key, value)
    made = Service(shared.docker, shared.name, tmp_path)
    yield made
    if made.name in made.docker.run("service", "ls", "--format", "{{.Name}}").split():
        made.docker.run("service", "rm", made.name)


def started(web: Service, version: str = "1", *flags: str) -> Instance:
    """That version runs, in one task."""
    if web.name not in web.docker.run("service", "ls", "--format", "{{.Name}}").split():
        web.create(*flags, image=f"{web.name}:1")
    web.driver().start(web.slot, version)

    def ready() -> bool:
        there = web.driver().status(web.slot)
        return there is not None and there.health in (Health.HEALTHY, Health.UNKNOWN) and bool(there.since)

    wait(ready, lambda: web.driver().obituary(web.slot))
    there = web.driver().status(web.slot)
    assert there
    return there


# what a release sets


def test_every_flag_reaches_swarm(web: Service) -> None:
    started(web)
    web.table = EVERY_FLAG
    web.driver().reload(web.slot, "2", "", stays)
    spec = web.inspect()["Spec"]
    assert spec["UpdateConfig"] == {
        "Parallelism": 2,
        "Delay": 1_000_000_000,
        "FailureAction": "pause",
        "Monitor": 400_000_000,
        "MaxFailureRatio": 0.25,
        "Order": "stop-first",
    }
    assert spec["RollbackConfig"] == {
        "Parallelism": 3,
        "Delay": 2_000_000_000,
        "FailureAction": "continue",
        "Monitor": 500_000_000,
        "MaxFailureRatio": 0.5,
        "Order": "start-first",
    }
    facts = {"APP_NAME=web", "APP_SLOT=main", "APP_VERSION=2", "GREETING=hello from 2"}
    assert set(spec["TaskTemplate"]["ContainerSpec"]["Env"]) == facts


def test_start_first_is_the_default(web: Service) -> None:
    started(web)
    spec = web.inspect()["Spec"]
    assert (spec["UpdateConfig"]["Order"], spec["RollbackConfig"]["Order"]) == ("start-first", "start-first")
    assert spec["UpdateConfig"]["FailureAction"] == "rollback"


# what exactly runs


def test_exactly_the_image_that_ran(web: Service) -> None:
    """Its tag means something else by now, so neither the tag nor Swarm's memory of it leads there."""
    web.docker.run("tag", f"{web.name}:1", f"{web.name}:moving")
    first = started(web, "moving")
    assert first.artefact == web.docker.run("image", "inspect", "-f", "{{.Id}}", f"{web.name}:1")
    web.driver().reload(web.slot, "2", "", stays)
    web.driver().confirm(web.slot)
    web.docker.run("tag", f"{web.name}:2", f"{web.name}:moving")
    again = web.driver().reload(web.slot, "moving", first.artefact, stays)
    assert (again.version, again.artefact) == ("moving", first.artefact)
    assert web.inspect()["UpdateStatus"]["State"] == "completed"
    assert web.version() == "1"


def test_a_digest_is_recorded_as_swarm_resolved_it(web: Service) -> None:
    """There is no registry here to resolve one; a service can be made with one."""
    image = f"{web.name}:1@sha256:{'0' * 64}"
    web.create(image=image)
    web.docker.run("service", "scale", "--detach", f"{web.name}=1")
    wait(lambda: "No such image" in web.driver().obituary(web.slot))
    there = web.driver().status(web.slot)
    assert there
    assert (there.version, there.health) == ("1", Health.UNHEALTHY)
    assert web.inspect()["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] == image


@dataclass
class Registered(Service):
    """The service, with its images in a registry that Swarm asks for their digests."""

    registry: Registry = field(default_factory=lambda: Registry(""))

    @property
    def repository(self) -> str:
        return f"{self.registry.host}/{self.name}"

    @property
    def toml(self) -> str:
        text = super().toml.replace("resolve_image = false\n", "")
        return text.replace(f'image = "{self.name}:', f'image = "{self.repository}:')

    def tag(self, tag: str, version: str) -> str:
        """Let a tag of the registry mean the image of that version; returns what Swarm makes of it."""
        image = self.docker.run("image", "inspect", "-f", "{{.Id}}", f"{self.name}:{version}")
        return f"{self.repository}:{tag}@{self.registry.put(self.name, tag, image)}"


@pytest.fixture
def registered(web: Service) -> Iterator[Registered]:
    with registry() as made:
        one = Registered(web.docker, web.name, web.folder, registry=made)
        yield one
        left = one.docker.run("image", "ls", "--digests", "--format", "{{.Repository}}@{{.Digest}}", one.repository).split()
        one.docker.run("rmi", "-f", *left)


def test_digests_are_recorded_and_run_again_although_the_tag_has_moved(registered: Registered) -> None:
    web = registered
    first, second = web.tag("1", "1"), web.tag("2", "2")
    assert started(web).artefact == first
    there = web.driver().reload(web.slot, "2", "", stays)
    assert (there.version, there.artefact) == ("2", second)
    web.driver().confirm(web.slot)
    assert web.tag("1", "blind") != first
    web.driver().reload(web.slot, "2", second, stays)  # now Swarm itself remembers nothing of the first
    web.driver().confirm(web.slot)
    again = web.driver().reload(web.slot, "1", first, stays)
    assert (again.version, again.artefact, web.version()) == ("1", first, "1")


def test_no_health_check(web: Service) -> None:
    assert started(web, "blind").health == Health.UNKNOWN
    assert any("neither" in problem.what for problem in web.driver().problems())


# what persons do meanwhile


def test_a_person_changes_it_in_mid_release(web: Service) -> None:
    """Then Swarm's own memory is of the new version: only the image can go back."""
    started(web)
    web.driver().reload(web.slot, "2", "", stays)
    web.docker.run("service", "update", "--detach", "--env-add", "MINE=1", web.name)
    lines: list[str] = []
    web.driver(lines.append).revert(web.slot, stays)
    assert lines == [f"warning: somebody else changed {web.name}; only its image goes back"]
    assert web.version() == "1"
    assert "MINE=1" in web.inspect()["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"]


def test_a_way_back_that_fails_too(web: Service) -> None:
    """The image has gone meanwhile. A person must look; when it is there again, it goes back."""
    web.docker.run("tag", f"{web.name}:1", f"{web.name}:gone")
    started(web, "gone")
    web.driver().reload(web.slot, "2", "", stays)
    web.docker.run("rmi", "--no-prune", f"{web.name}:gone")
    with pytest.raises(NeedsPerson, match=f"{web.name} did not come back to gone: task .* No such image"):
        web.driver().revert(web.slot, stays)
    assert web.versions() == {"2"}
    web.docker.run("tag", f"{web.name}:1", f"{web.name}:gone")
    web.driver().revert(web.slot, stays)
    assert web.version() == "1"


def test_a_command_that_a_killed_run_has_left_is_ended(web: Service) -> None:
    started(web)
    mark = os.path.realpath(web.folder / "state/apps/web")
    left = run.spawn(run.Detached(("sleep", "600"), {MARK: mark}, str(web.folder / "log")))
    wait(lambda: proc.with_environment(MARK, mark))  # not before its exec has it that environment
    assert web.driver().stop(web.slot) is True
    wait(lambda: not proc.alive(left))


def test_a_stop_is_remembered(web: Service) -> None:
    started(web)
    web.docker.run("service", "scale", "--detach", f"{web.name}=2")
    assert web.driver().stop(web.slot) is True
    assert web.driver().status(web.slot) is None
    web.driver().start(web.slot, "2")
    assert web.inspect()["Spec"]["Mode"]["Replicated"]["Replicas"] == 2


# other kinds of services


def test_a_service_on_every_node(web: Service) -> None:
    web.docker.run(
        *("service", "create", "--detach", "--no-resolve-image", "--mode", "global", "--name", web.name),
        *("--publish", "mode=host,target=8000", f"{web.name}:1"),
    )
    wait(lambda: web.version() == "1")
    with pytest.raises(Failed, match="is not stopped: 1 of 1 tasks run"):
        web.driver().check(web.slot)
    web.driver().check_reload(web.slot, "2")
    web.driver().reload(web.slot, "2", "", stays)
    assert web.version() == "2"
    with pytest.raises(UsageError, match="runs on every node: Swarm cannot scale it to 0"):
        web.driver().stop(web.slot)


def test_one_of_several_ports(web: Service) -> None:
    web.create("--publish", "mode=host,target=8000", "--publish", "mode=host,target=9000", image=f"{web.name}:1")
    web.pool = "app"
    with pytest.raises(UsageError, match="publishes these ports with mode=host: 8000, 9000; the pool app needs one"):
        web.driver().check(web.slot)
    web.table = f"{QUICK}\nport = 8000"
    web.driver().start(web.slot, "1")
    wait(lambda: web.version() == "1")
    there = web.driver().status(web.slot)
    assert there
    assert len(there.endpoints) == 1


def test_the_port_of_somebody_else_is_not_taken_for_its_own(web: Service) -> None:
    """Where the next port for IPv4 is not that for IPv6, Docker tells two for a task: the second is somebody else's."""
    web.docker.run("run", "-d", "--name", f"{web.name}-other", "-p", "127.0.0.1::8000", f"{web.name}:2")
    there = started(web)
    assert len(there.endpoints) == 1
    assert web.versions() == {"1"}


def test_a_service_that_is_removed_in_mid_release(web: Service) -> None:
    started(web)

    def removed(_endpoints: object) -> None:
        web.docker.run("service", "rm", web.name)

    with pytest.raises(Failed, match=r"docker service update|was removed while it was released"):
        web.driver().reload(web.slot, "2", "", removed)


# which engine


def test_the_engine_that_is_named(web: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """By host, or by a context; or by the environment, as everywhere."""
    started(web)
    host = web.docker.host
    assert f"({host}), 1 node" in web.driver().about()
    web.docker.run("context", "create", web.name, "--docker", f"host={host}")
    try:
        monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        with pytest.raises(UsageError, match=r"unix:///nowhere/docker\.sock\) does not answer"):
            web.driver().about()
        web.table = f'{QUICK}\nhost = "{host}"'
        assert web.version() == "1"
        web.table = f'{QUICK}\ncontext = "{web.name}"'
        assert f"(context {web.name})" in web.driver().about()
        assert web.version() == "1"
        monkeypatch.delenv("DOCKER_HOST")
        monkeypatch.setenv("DOCKER_CONTEXT", web.name)
        web.table = QUICK
        assert f"(context {web.name})" in web.driver().about()
    finally:
        web.docker.run("context", "rm", web.name)
