"""A stack that generate made, deployed by Docker itself: our driver releases and rolls back with it, under load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.model import Endpoint
from tests.e2e.haproxy_support import haproxy_bench
from tests.e2e.shop import wait
from tests.e2e.swarm_support import POOLS, REDISPATCH, SwarmShop
from tests.generate.support import files
from tests.runners.docker import Docker

pytestmark = pytest.mark.root


@pytest.fixture
def web(swarm: Docker, haproxy_binary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SwarmShop]:
    """Version 1 runs as `docker stack deploy` has started it. Its images have no health check of their own."""
    for key, value in swarm.env.items():
        monkeypatch.setenv(key, value)
    with swarm.prefixed() as stack, haproxy_bench(tmp_path) as place:
        made = SwarmShop(place, proxy="haproxy", docker=swarm, prefix=f"{stack}_app")
        made.configure(update={}, rollback={})
        for version, broken in (("1", ""), ("2", ""), ("2-dies", "dies-after:1")):
            swarm.image(f"{stack}_app:{version}", version, broken, health="")
        words = "--probe python --delay 300ms --monitor 2s"
        text = files(f"swarm --app web --config {made.settings} {words}")["stack.yaml"]
        (tmp_path / "stack.yaml").write_text(text)
        by_hand(made, "1", monkeypatch)
        place.write(made.blue, REDISPATCH, POOLS, green=made.green)
        place.start()
        try:
            made.deploy("1", "--again")  # the pool does not know the tasks yet
            yield made
        finally:
            made.close()


def image(web: SwarmShop) -> str:
    """What the service is to run now."""
    return str(web.service.inspect()["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"])


def by_hand(web: SwarmShop, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person types."""
    monkeypatch.setenv("APP_VERSION", version)
    stack = web.prefix.removesuffix("_app")
    web.docker.run("stack", "deploy", "-c", str(web.bench.folder / "stack.yaml"), "--resolve-image", "never", stack)


def test_there_and_back(web: SwarmShop, monkeypatch: pytest.MonkeyPatch) -> None:
    web.serves("1")
    with Load(Endpoint("127.0.0.1", web.bench.port), keepalive=2, closing=1, long=1, long_seconds=0.5) as load:
        web.deploy("2")
        web.serves("2")
        assert web.update() == "completed"
        back = web.run("rollback", "web")
        assert back.code == 0, back.err
        web.serves("1")
    seen = load.stop()
    assert seen.failures == 0, (seen.by_kind, seen.errors)
    assert {"1", "2"} <= set(seen.by_version)
    gone = web.deploy("2-dies", code=3)  # not under load: one that is well for a moment may have replaced both tasks by then
    web.serves("1")
    assert image(web) == f"{web.prefix}:1", gone.err
    # without us, Swarm does by the file alone what it should
    by_hand(web, "2-dies", monkeypatch)
    wait(lambda: web.update() in ("paused", "rollback_paused", "rollback_completed"))
    assert web.update() == "rollback_completed"
    assert image(web) == f"{web.prefix}:1"
