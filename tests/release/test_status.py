"""What `status` knows of an app, from a proxy and a driver that are only looked at."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec
import pytest

from proxyswitch import settings
from proxyswitch.errors import UsageError
from proxyswitch.model import Instance, Pool, ProcessId, Server, Slot
from proxyswitch.release import checks, history, running, status, steps
from proxyswitch.release.history import Entry
from proxyswitch.release.pools import past
from proxyswitch.release.steps import Plan
from proxyswitch.release.world import World
from proxyswitch.settings import Settings
from proxyswitch.settings_base import Seconds
from proxyswitch.settings_release import Migrate
from proxyswitch.system import files, proc, state
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

    def serving(self, pool: Pool) -> Pool:
        return pool

    def driver(self, app: str) -> Any:
        return self

    def status(self, slot: Slot) -> Instance | None:
        return self.running.get(slot.name)


def seen(
    now: Pool | None,
    slots: dict[str, str],
    health: settings.Health | None = None,
    **running: Any,
) -> Seen:
    made = Seen(Settings(apps={"web": app(slots=slots, health=health, migrate=running.pop("migrate", None))}))
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


def share(percent: int) -> steps.Watch:
    return steps.Watch("web", "green", "2", 60, share=percent, manual=True, patience=600)


def begun(*done: steps.AnyStep, now: steps.AnyStep, by: ProcessId | None) -> Entry:
    """The journal of a release whose first steps are done, and that is at a further one."""
    entry = history.entry(history.RELEASE, id="1-a", app="web", version="2", old_version="1", old_slot="blue", slot="green")
    plan = msgspec.to_builtins(Plan((*done, now, steps.StopInstance("web", "blue")), len(done) + 1))
    journal = running.journal_of("web")
    journal.begin(id="1-a", process=by, plan=plan, entry=msgspec.to_builtins(entry))
    for number in range(len(done)):
        journal.add("step", number=number, state="begin")
        journal.add("step", number=number, state="done")
    journal.add("step", number=len(done), state="begin")
    return entry


START = steps.StartInstance("web", "green", "2")
GONE = ProcessId(2**22, 1)


def test_an_interrupted_release_is_told(answering: str) -> None:
    entry = begun(START, now=share(20), by=GONE)
    found, _ = look(seen(pool(answering), slots_with(answering)))
    assert found["interrupted"] is True
    release = found["release"]
    assert (release["id"], release["runs"], release["number"], release["steps"]) == ("1-a", False, 2, 3)
    assert release["step"].startswith("watch web 2 with 20 % of the traffic")
    assert (release["from"], release["to"]) == ({"slot": "blue", "version": "1"}, {"slot": "green", "version": "2"})
    assert (release["user"], release["begun"], release["decision"]) == (entry.user, entry.at, None)


def test_a_release_that_was_cut_off_before_its_first_step_is_told(answering: str) -> None:
    begun(now=START, by=None)
    lines = (path := running.journal_of("web").path).read_text().splitlines(keepends=True)
    path.write_text(lines[0])
    found, _ = look(seen(pool(answering), slots_with(answering)))
    assert found["interrupted"] is True
    assert found["release"]["step"] == "start web 2 in slot green"


def test_a_release_that_runs_is_not_interrupted(answering: str) -> None:
    begun(START, now=share(100), by=proc.identify(os.getpid()))
    found, _ = look(seen(pool(answering), slots_with(answering)))
    assert found["interrupted"] is False
    assert (found["release"]["runs"], found["release"]["decision"]) == (True, None)


def test_a_canary_waits_for_a_decision(answering: str) -> None:
    entry = begun(START, now=share(20), by=proc.identify(os.getpid()))
    found, _ = look(seen(pool(answering), slots_with(answering)))
    decision = found["release"]["decision"]
    assert (decision["share"], decision["manual"]) == (20, True)
    assert decision["until"] >= entry.at + 660


def test_without_a_release_there_is_none(answering: str) -> None:
    found, _ = look(seen(pool(answering), slots_with(answering)))
    assert (found["release"], found["unconfirmed"]) == (None, None)


@pytest.mark.parametrize(
    ("blue", "green", "shares"),
    [
        ({}, {"down": True}, (100, 0)),
        ({"weight": 3}, {"weight": 1}, (75, 25)),
        ({"weight": 2}, {"weight": 1}, (66.7, 33.3)),
        ({}, {"backup": True}, (100, 0)),
        ({"weight": 0}, {"weight": 0}, (0, 0)),
        ({"weight": 95, "slot": "blue"}, {"weight": 5, "slot": "green"}, (95, 5)),
    ],
)
def test_the_share_of_a_slot_is_by_what_is_live(blue: Any, green: Any, shares: tuple[float, float]) -> None:
    slots = slots_with(f"127.0.0.1:{free_port()}")
    servers = Server(slots["blue"], **blue), Server(slots["green"], **green)
    _, found = look(seen(pool(*servers), slots))
    assert (found["blue"]["share"], found["green"]["share"]) == shares


def test_a_pool_that_is_not_known_has_no_shares(answering: str) -> None:
    _, found = look(seen(None, slots_with(answering)))
    assert found["blue"]["share"] is None


def released(version: str, at: float) -> None:
    files.make_folder(state.folder())
    past().add(history.entry(history.RELEASE, id=version, app="web", version=version, slot="blue", at=at))


@pytest.mark.parametrize(("after", "due"), [(None, None), (3600.0, 5600.0)])
def test_a_contract_that_has_not_run_is_told(answering: str, after: float | None, due: float | None) -> None:
    migrate = Migrate(contract=["true"], confirm_after=None if after is None else Seconds(after))
    released("1", 1000)
    released("2", 2000)
    world = seen(pool(answering), slots_with(answering), migrate=migrate)
    assert look(world)[0]["unconfirmed"] == {"versions": ["1", "2"], "due": due}
    past().add(history.entry(history.CONFIRM, id="c", app="web", version="2", at=3000))
    assert look(world)[0]["unconfirmed"] is None


def test_without_a_health_check_a_connection_is_enough(answering: str) -> None:
    world = seen(pool(answering), slots_with(answering))
    check = checks.checks_of(world, "web", world.app("web").places[0], "1")[0]
    assert check.url == f"tcp://{answering}"


def test_what_does_not_ask_for_the_version_is_asked_of_an_unknown_one_too(answering: str) -> None:
    health = settings.Health(json={"status": "healthy", "version": "{version}", "in": ["{version}"]}, body="{version}")
    world = seen(pool(answering), slots_with(answering), health)
    slot = world.app("web").places[0]
    assert checks.checks_of(world, "web", slot, "")[0].json == {"status": "healthy"}
    assert checks.checks_of(world, "web", slot, "")[0].body == ""
    assert checks.checks_of(world, "web", slot, "1")[0].json == {"status": "healthy", "version": "1", "in": ["1"]}
