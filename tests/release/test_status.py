"""What `status` knows of an app, from a proxy and a driver that are only looked at."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from proxyswitch import settings
from proxyswitch.errors import UsageError
from proxyswitch.model import Instance, Pool, Slot
from proxyswitch.release import deploy, instances, status
from proxyswitch.release.world import World
from proxyswitch.settings import Settings
from tests.ports import free_port
from tests.release.values import app, instance, pool

VERSIONED = settings.Health(url="http://{address}/", json={"status": "healthy", "version": "{version}"})


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"status": "healthy", "version": "1"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def answering() -> Iterator[str]:
    """The address of an instance of version 1."""
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Seen(World):
    """A world with fixed instances and a fixed pool; None for one that cannot be read."""

    now: Pool | None
    running: dict[str, Instance]

    def proxy(self, name: str = "nginx") -> Any:
        return self

    def pool(self, name: str) -> Pool:
        if self.now is None:
            raise UsageError(f"no pool {name!r}")
        return self.now

    def driver(self, app: str) -> Any:
        return self

    def status(self, slot: Slot) -> Instance | None:
        return self.running.get(slot.name)


def seen(now: Pool | None, slots: dict[str, str], health: settings.Health | None = None, **running: str) -> Seen:
    made = Seen(Settings(apps={"web": app(slots=slots, health=health)}))
    made.now, made.running = now, {slot: instance(slot, version) for slot, version in running.items()}
    return made


def look(world: Seen) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    found = status.look(world, "web")
    return found, {slot["slot"]: slot for slot in found["slots"]}


def slots_with(blue: str) -> dict[str, str]:
    return {"blue": blue, "green": f"127.0.0.1:{free_port()}"}


def test_a_live_and_an_idle_slot(answering: str) -> None:
    found, slots = look(seen(pool(answering), slots_with(answering), VERSIONED, blue="1"))
    assert (found["app"], found["pool"], found["driver"], found["problem"]) == ("web", "app_backend", "process", "")
    assert found["interrupted"] is False
    blue, green = slots["blue"], slots["green"]
    assert (blue["live"], blue["running"], blue["version"], blue["healthy"], blue["pid"]) == (True, True, "1", True, 4242)
    assert (green["live"], green["running"], green["version"], green["healthy"]) == (False, False, "", None)


def test_the_wrong_version_is_ill(answering: str) -> None:
    _, slots = look(seen(pool(answering), slots_with(answering), VERSIONED, blue="2"))
    assert slots["blue"]["healthy"] is False
    assert "version" in slots["blue"]["reason"]


@pytest.mark.parametrize("running", [{"blue": ""}, {}])
def test_an_instance_whose_version_is_not_known_is_not_ill_for_that(answering: str, running: dict[str, str]) -> None:
    """It was started by hand: only we would have known what to expect."""
    _, slots = look(seen(pool(answering), slots_with(answering), VERSIONED, **running))
    assert slots["blue"]["healthy"] is True
    assert slots["blue"]["running"] is bool(running)


def test_a_live_slot_where_nobody_answers_is_ill() -> None:
    address = f"127.0.0.1:{free_port()}"
    _, slots = look(seen(pool(address), slots_with(address)))
    assert (slots["blue"]["live"], slots["blue"]["healthy"]) == (True, False)
    assert slots["blue"]["reason"] == "connection refused"


def test_a_pool_that_cannot_be_read_is_a_problem_and_no_end(answering: str) -> None:
    found, slots = look(seen(None, slots_with(answering), blue="1"))
    assert found["problem"] == "no pool 'app_backend'"
    assert (slots["blue"]["live"], slots["blue"]["running"]) == (False, True)


def test_an_interrupted_release_is_told(answering: str) -> None:
    deploy.journal_of("web").begin(id="1")
    found, _ = look(seen(pool(answering), slots_with(answering)))
    assert found["interrupted"] is True


def test_without_a_health_check_a_connection_is_enough(answering: str) -> None:
    world = seen(pool(answering), slots_with(answering))
    check = instances.check_of(world, "web", world.app("web").places[0], "1")
    assert check.url == f"tcp://{answering}"


def test_what_does_not_ask_for_the_version_is_asked_of_an_unknown_one_too(answering: str) -> None:
    health = settings.Health(json={"status": "healthy", "version": "{version}", "in": ["{version}"]}, body="{version}")
    world = seen(pool(answering), slots_with(answering), health)
    slot = world.app("web").places[0]
    assert instances.check_of(world, "web", slot, "").json == {"status": "healthy"}
    assert instances.check_of(world, "web", slot, "").body == ""
    assert instances.check_of(world, "web", slot, "1").json == {"status": "healthy", "version": "1", "in": ["1"]}
