"""nginx as a service of a compose file, in one network with its apps, of which the pool names the services."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.nginx_container_support import SITE, Boxed, Composed, boxed
from tests.e2e.support import eventually
from tests.e2e.test_user import USER, code, readable_python
from tests.runners.docker import Docker

__all__ = ["code"]
pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def project(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """It is up."""
    folder = tmp_path_factory.mktemp("project")
    with docker.prefixed() as prefix:
        made = Composed(folder, docker=docker, prefix=prefix)
        docker.root()
        made.write()
        made.configure("docker compose exec -T nginx")
        made.compose("up", "-d")
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture
def shop(project: Composed) -> Composed:
    """app-blue serves, and nothing is in the history."""
    shutil.rmtree(project.state, ignore_errors=True)
    project.compose("start", "app-blue", "app-green")
    project.pools.write_text(SITE)
    by_hand(project)
    assert eventually(lambda: project.serving() == "app-blue")
    return project


def by_hand(place: Composed) -> None:
    """What a person types."""
    before = place.workers.active
    place.compose("exec", "-T", "nginx", "nginx", "-s", "reload")
    assert eventually(lambda: place.workers.active and not place.workers.active & before)


def test_a_switch_by_the_names_of_services(shop: Composed) -> None:
    assert shop.run("get", "app_backend").out.strip() == "app-blue:8000"
    before = shop.workers.active
    result = shop.run("switch", "app_backend", "app-green:8000", "--drain", "20s")
    assert result.code == 0, result.err
    assert shop.serving() == "app-green"
    assert not (shop.workers.active | shop.workers.old) & before
    assert "server app-green:8000;" in shop.pools.read_text()
    assert shop.run("rollback").code == 0
    assert shop.serving() == "app-blue"


def test_compose_s_own_reload_keeps_working(shop: Composed) -> None:
    by_hand(shop)
    assert shop.run("switch", "app_backend", "app-green:8000").code == 0
    by_hand(shop)
    assert shop.serving() == "app-green"
    assert shop.run("get", "app_backend").out.strip() == "app-green:8000"
    assert shop.run("switch", "app_backend", "app-blue:8000").code == 0
    assert shop.serving() == "app-blue"


def test_a_service_that_is_stopped_is_noticed(shop: Composed) -> None:
    """Its name is gone with it, and nginx itself says so."""
    shop.compose("stop", "-t", "1", "app-green")
    with shop.nothing_done():
        result = shop.run("switch", "app_backend", "app-green:8000")
    assert result.code == 3
    assert f'{shop.pools}:2:1: nginx refuses the config: host not found in upstream "app-green:8000"' in result.err
    assert "is the new server up" in result.err
    assert shop.serving() == "app-blue"


def test_connections_in_its_own_network_are_not_known(shop: Composed) -> None:
    (server,) = shop.run("show", "--json").json["pools"][0]["servers"]
    assert server["connections"] is None


def test_doctor_says_what_it_sees(shop: Composed) -> None:
    result = shop.run("doctor")
    assert result.code == 0, result.out
    assert "in a container (docker compose exec -T nginx)" in result.out
    assert f"{shop.pools.parent} is /etc/nginx/conf.d in there" in result.out
    assert "nginx runs, pid " in result.out


def test_compose_1(shop: Composed, compose1: list[str]) -> None:
    """The two know each other's containers by their labels."""
    shop.configure([*compose1, "exec", "-T", "nginx"])
    try:
        result = shop.run("switch", "app_backend", "app-green:8000")
    finally:
        shop.configure("docker compose exec -T nginx")
    assert result.code == 0, result.err
    assert shop.serving() == "app-green"


def test_two_of_them_are_told_apart(docker: Docker, prefix: str, tmp_path: Path, shop: Composed) -> None:
    """This one shares the machine's processes, so that another nginx is below its first process as well."""
    with boxed(docker, prefix, tmp_path) as second:
        second.write(second.instance("1"))
        second.up(flags=("--pid", "host"))
        before = shop.workers.active
        result = second.run("switch", "app_backend", f"127.0.0.1:{second.instance('2')}")
        assert result.code == 0, result.err
        assert second.version() == "2"
        assert shop.workers.active == before


# an ordinary user


@pytest.fixture
def private(docker: Docker, prefix: str, code: Path) -> Iterator[Boxed]:
    """The settings and the config are that user's, the container is the engine's."""
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-box-"))
    try:
        with boxed(docker, prefix, folder, user=USER, python=readable_python(USER), path=str(code)) as made:
            made.write(made.instance("1"))
            made.up()
            yield made
    finally:
        shutil.rmtree(folder)


def test_who_may_use_the_engine_may_switch(private: Boxed) -> None:
    """nginx's master is root's, so it is told in there; its processes are seen all the same."""
    private.groups = ("docker",)
    result = private.run("switch", "app_backend", f"127.0.0.1:{private.instance('2')}", "--drain", "20s")
    assert result.code == 0, result.err
    assert private.version() == "2"
    assert private.run("rollback").code == 0
    assert private.version() == "1"
    assert private.run("doctor").code == 0


def test_who_may_not_is_told_so(private: Boxed) -> None:
    with private.nothing_done():
        result = private.run("switch", "app_backend", "127.0.0.1:1")
    assert result.code == 2
    assert "permission denied" in result.err.lower()
