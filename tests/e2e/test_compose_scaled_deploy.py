"""`deploy` of an app that is one service of a compose file that generate made, which runs twice for a while at ports that
Docker gives out."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.compose_support import ComposeShop, compose_shop
from tests.e2e.shop import wait
from tests.e2e.support import bench
from tests.runners.docker import Docker

pytestmark = pytest.mark.root


class Scaled(ComposeShop):
    """The app `web`: the service app."""

    def settle(self, total: str = "30s", **changes: Any) -> None:
        self.configure(slots={"main": "auto"}, service="app", health={"total": total}, **changes)

    def running(self) -> dict[str, str]:
        """Version and container of all that run."""
        found = [c for c in self.world.containers("app") if c["State"]["Running"]]
        return {c["Config"]["Labels"]["proxyswitch.version"]: str(c["Id"]) for c in found}


@pytest.fixture
def web(docker: Docker, nginx_binary: str, prefix: str, tmp_path: Path) -> Iterator[Scaled]:
    """Version 1 was deployed; the pool had another server before."""
    with bench(tmp_path) as place, compose_shop(docker, prefix, place, kind=Scaled) as made:
        assert isinstance(made, Scaled)
        made.images("2-exits", "2-never", "2-dies")
        made.settle()
        made.generate()
        place.write(place.instance("0"))
        place.start()
        made.deploy("1")
        yield made


def test_there_and_back(web: Scaled) -> None:
    first, others = web.running(), web.others()
    assert (list(first), web.bench.version()) == (["1"], "1")
    result = web.deploy("2")
    assert result.out.startswith("web: 1 → 2 ("), result.out
    assert (list(web.running()), web.bench.version()) == (["2"], "2")
    again = web.deploy("2")
    assert (again.out, again.err) == ("", "")
    web.docker.run("tag", f"{web.prefix}:2", f"{web.prefix}:1")
    back = web.run("rollback", "web")
    assert back.code == 0, back.err
    assert (list(web.running()), web.bench.version(), web.journals()) == (["1"], "1", [])
    assert web.others() == others


def test_versions_that_are_no_good(web: Scaled) -> None:
    before, pools = web.running(), web.bench.pools.read_text()
    for version, said in (("2-exits", "the last line"), ("2-never", "was not healthy within"), ("2-dies", "died after 2 s")):
        web.settle("2s" if version == "2-never" else "30s", watch="20s")
        result = web.deploy(version, code=3)
        assert said in result.err, result.err
        assert "everything is as before: web 1 serves from slot main" in result.err
        assert (web.running(), web.bench.version(), web.journals()) == (before, "1", [])
        assert web.bench.pools.read_text() == pools


def test_a_kill_after_the_switch(web: Scaled) -> None:
    before = web.running()
    web.settle(hooks={"after_switch": "touch waiting; exec sleep 600"})
    running = web.spawn("2")
    wait((web.bench.folder / "waiting").exists)
    assert web.bench.version() == "2"
    running.send_signal(signal.SIGKILL)
    running.wait()
    web.settle()
    result = web.run("recover")
    assert result.code == 0, result.err
    assert (web.running(), web.bench.version(), web.journals()) == (before, "1", [])
