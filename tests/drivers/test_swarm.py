"""What the Swarm driver asks of Docker, how it reads the answers, and what `doctor` says. No engine is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from proxyswitch import settings
from proxyswitch.drivers.swarm import words
from proxyswitch.drivers.swarm.doctor import problems
from proxyswitch.drivers.swarm.follow import progress
from proxyswitch.drivers.swarm.seen import Seen, version_of
from proxyswitch.drivers.swarm.values import Build, Service, Task, moment
from proxyswitch.errors import SettingsError
from proxyswitch.model import Endpoint
from proxyswitch.settings import App
from proxyswitch.settings_runners import Swarm

LINES = 'service = "shop"\nimage = "registry.example:5000/shop:{version}"'
EVERY_FLAG = """
update = { parallelism = 2, delay = "1.5s", order = "stop-first", monitor = "20s", max_failure_ratio = 0.25, \
failure_action = "pause" }
rollback = { parallelism = 0, delay = "0s", order = "start-first", monitor = "500ms", max_failure_ratio = 1, \
failure_action = "continue" }
"""


def app_of(table: str = "", app: str = 'pool = "shop"\nslots = { main = "auto" }') -> App:
    text = f"[apps.shop]\n{app}\n[apps.shop.swarm]\n{LINES}\n{table}\n"
    return settings.parse(text.encode(), "proxyswitch.toml").app("shop")


def table_of(table: str = "") -> Swarm:
    found = app_of(table).swarm
    assert found
    return found


# commands


def test_every_flag_of_an_update() -> None:
    assert words.release(table_of(EVERY_FLAG), "shop:2", {}) == (
        *("service", "update", "--detach", "--force"),
        *("--update-parallelism", "2", "--update-delay", "1500ms", "--update-order", "stop-first"),
        *("--update-monitor", "20000ms", "--update-max-failure-ratio", "0.25", "--update-failure-action", "pause"),
        *("--rollback-parallelism", "0", "--rollback-delay", "0ms", "--rollback-order", "start-first"),
        *("--rollback-monitor", "500ms", "--rollback-max-failure-ratio", "1.0", "--rollback-failure-action", "continue"),
        *("--image", "shop:2"),
    )


def test_what_is_not_set_stays_as_the_service_has_it() -> None:
    table = table_of("resolve_image = false\nwith_registry_auth = true")
    assert words.release(table, "shop:2", {"B": "2", "A": "1 2"}) == (
        *("service", "update", "--detach", "--force"),
        *("--update-order", "start-first", "--update-failure-action", "rollback", "--rollback-order", "start-first"),
        *("--env-add", "A=1 2", "--env-add", "B=2", "--no-resolve-image", "--with-registry-auth", "--image", "shop:2"),
    )


def test_the_other_commands() -> None:
    table = table_of()
    assert words.started(table, "i", {}, 3)[-3:] == ("--replicas", "3", "shop")
    assert words.back(table) == ("service", "update", "--detach", "--rollback", "shop")
    assert words.scaled(table, 0) == ("service", "scale", "--detach", "shop=0")
    assert words.docker(table) == ("docker",)
    assert words.docker(table_of('host = "ssh://deploy@manager1"')) == ("docker", "--host", "ssh://deploy@manager1")
    assert words.docker(table_of('context = "prod"')) == ("docker", "--context", "prod")


# settings


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('host = "ssh://a"\ncontext = "b"', "context: host names the engine already"),
        ('update = { order = "both" }', "update.order: expected start-first or stop-first"),
        ('update = { failure_action = "stop" }', "update.failure_action: expected pause, continue, rollback"),
        ('rollback = { failure_action = "rollback" }', "rollback.failure_action: expected pause, continue"),
        ("update = { parallelism = -1 }", "parallelism"),
        ("rollback = { max_failure_ratio = 1.5 }", "max_failure_ratio"),
        ('update = { delay = "soon" }', "delay"),
        ("update = { paralellism = 1 }", "paralellism"),
        ("replicas = 0", "replicas"),
        ("port = 70000", "port"),
    ],
)
def test_settings_that_are_wrong(table: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        app_of(table)


def test_a_service_and_an_image_are_needed() -> None:
    for text in ('image = "i"', 'service = "s"', 'service = ""\nimage = "i"'):
        with pytest.raises(SettingsError):
            settings.parse(f"[apps.a]\nslots = {{ main = 'auto' }}\n[apps.a.swarm]\n{text}\n".encode(), "p.toml")


# what Docker says


def service(version: str = "2", *, replicas: int | None = 2, state: str = "completed", **more: Any) -> dict[str, Any]:
    """As `docker service inspect` has it; `more` by the keys of its Spec, or previous: the version before."""
    previous, ports = more.pop("previous", ""), more.pop("ports", [{"PublishMode": "host", "TargetPort": 8000}])
    mode = {"Global": {}} if replicas is None else {"Replicated": {"Replicas": replicas}}
    container = {"Image": f"shop:{version}", "Env": [f"APP_VERSION={version}"], **more.pop("container", {})}
    spec = {"TaskTemplate": {"ContainerSpec": container}, "Mode": mode, "EndpointSpec": {"Ports": ports}, **more}
    before = {"PreviousSpec": service(previous, replicas=replicas)["Spec"]} if previous else {}
    return {"ID": "s1", "Spec": spec, "UpdateStatus": {"State": state}, **before}


def task(name: str, version: str = "2", state: str = "running", wanted: str = "running", **more: Any) -> Task:
    port = more.pop("port", 0)
    ports = {"PortStatus": {"Ports": [{"TargetPort": 8000, "PublishedPort": port}]}} if port else {}
    container = {"Image": f"shop:{version}", "Env": [f"APP_VERSION={version}"]}
    status = {"State": state, "Timestamp": "2026-01-02T03:04:05.123456789Z", **ports, **more.pop("status", {})}
    raw = {"ID": name, "NodeID": "n1", "DesiredState": wanted, "CreatedAt": "2026-01-02T03:04:05Z"}
    return Task({**raw, "Spec": {"ContainerSpec": container}, "Status": status, **more})


def seen(of: dict[str, Any], *tasks: Task, port: int | None = None) -> Seen:
    return Seen(Service(of), tasks, {"n1": "10.0.0.1", "n2": "10.0.0.2"}, port)


GOOD = (task("a", port=30001), task("b", port=30002, NodeID="n2"))
OLD = task("o", "1", wanted="shutdown", port=30003)


@pytest.mark.parametrize(
    ("of", "tasks", "settled"),
    [
        (service(), GOOD, True),
        (service(), (*GOOD, OLD), True),
        (service(state="updating"), GOOD, False),
        (service(state="rollback_started"), GOOD, False),
        (service(state="rollback_completed"), GOOD, True),
        (service(), GOOD[:1], False),
        (service(), (GOOD[0], task("b", "1", port=30002)), False),
        (service(), (GOOD[0], task("b", state="starting")), False),
        (service(), (GOOD[0], task("b")), False),  # its port is not known yet
        (service(ports=[]), (task("a"), task("b")), True),
        (service(replicas=None), (task("a", port=30001), task("b", port=30002, NodeID="n2")), True),
        (service(replicas=0), (), True),
    ],
)
def test_when_a_service_has_come_to_rest(of: dict[str, Any], tasks: tuple[Task, ...], settled: bool) -> None:
    assert seen(of, *tasks).settled is settled


def test_where_the_tasks_listen_that_serve() -> None:
    look = seen(service(), *GOOD, OLD, task("c", state="starting", port=30004))
    assert look.endpoints == (Endpoint("10.0.0.1", 30001), Endpoint("10.0.0.2", 30002))
    assert seen(service(), *GOOD, port=9000).endpoints == ()
    assert look.serving == list(GOOD)
    assert OLD.leaves


def test_two_ports_of_a_node_for_one_of_a_task() -> None:
    """For IPv4 and for IPv6: the other one may lead to another app."""
    ports = [{"TargetPort": 8000, "PublishedPort": number, "Protocol": "tcp"} for number in (32769, 32768)]
    quick = {"TargetPort": 8000, "PublishedPort": 32700, "Protocol": "udp"}
    one = task("a", status={"PortStatus": {"Ports": [quick, *ports]}})
    assert seen(service(replicas=1), one).endpoints == (Endpoint("10.0.0.1", 32769),)
    there = Seen(Service(service(replicas=1)), (one,), {"n1": "fd00::1"})
    assert there.endpoints == (Endpoint("fd00::1", 32768),)


def test_how_tasks_ended() -> None:
    rejected = task("x" * 25, state="rejected", wanted="shutdown", status={"Err": "No such image: shop:2"})
    assert rejected.ending() == "task xxxxxxxxxxxx: No such image: shop:2"
    done = task("y", state="complete", status={"ContainerStatus": {"ExitCode": 0}})
    assert done.ending() == "task y: it ended with status 0 although it should run: by itself, or found unhealthy"
    older = task("z", "1", state="failed")
    assert seen(service(), rejected, done, older).failures == [rejected, done]
    coming = task("c", state="pending", status={"Err": "no suitable node"})
    assert progress(seen(service(), GOOD[0], coming, rejected, OLD)) == (
        "1 of 2 tasks run, 1 pending (no suitable node), 1 failed; task xxxxxxxxxxxx: No such image: shop:2,"
        " 1 old ones still end"
    )


def test_times() -> None:
    assert moment("1970-01-01T00:01:40.123456789Z") == 100.123456
    assert moment("1970-01-01T01:01:40+01:00") == 100.0


@pytest.mark.parametrize(
    ("image", "env", "version"),
    [
        ("registry.example:5000/shop:1.2@sha256:abc", "", "1.2"),
        ("other/shop:7", "8", "8"),
        ("other/shop:7", "", "7"),
        ("localhost:5000/shop", "", ""),
    ],
)
def test_which_version_a_task_is_of(image: str, env: str, version: str) -> None:
    assert version_of(Build(image, env, 0), "registry.example:5000/shop:{version}") == version


def test_what_swarm_would_go_back_to() -> None:
    assert Service(service("2", previous="1")).previous == Build("shop:1", "1", 0)
    assert Service(service("2")).previous is None
    scaled = service("2", previous="1")
    scaled["PreviousSpec"]["Mode"]["Replicated"]["Replicas"] = 0
    assert Service(scaled).previous is None  # it would stop the app


# what doctor says


def told(app: App, of: dict[str, Any], *, nodes: int = 1, checked: bool = True) -> Iterator[str]:
    assert app.swarm
    look = seen(of, *GOOD)
    return (f"{p.what}; {p.next_step}" for p in problems(app, app.swarm, look, lambda: nodes, checked))


SLOW: dict[str, Any] = {"UpdateConfig": {"Parallelism": 1, "Delay": 3_000_000_000}}
PATIENT = {"StopGracePeriod": 60_000_000_000}
WELL: dict[str, Any] = {**SLOW, "container": PATIENT}
FIXED = {"PublishMode": "host", "TargetPort": 8000, "PublishedPort": 8000}


def test_all_is_well() -> None:
    assert list(told(app_of(), service(**WELL))) == []
    assert list(told(app_of('update = { delay = "2s" }'), service(container=PATIENT))) == []


@pytest.mark.parametrize(
    ("table", "of", "said"),
    [
        ("", service(**WELL, ports=[]), "publishes no port with mode=host"),
        ("", service(**WELL, ports=[FIXED, {**FIXED, "TargetPort": 9}]), "these ports with mode=host: 9, 8000; the pool"),
        ("", service(**WELL, ports=[FIXED]), "publishes the fixed port 8000 on each node: start-first needs a node more"),
        ("", service(**WELL, replicas=1), "one task: the pool shop learns the address of the next one when"),
        ('update = { order = "stop-first" }', service(**WELL, replicas=1), "one task, and stop-first: shop is away"),
        ("update = { parallelism = 2 }", service(**WELL), "all 2 tasks are replaced at a time"),
        ("update = { parallelism = 0 }", service(**WELL), "all 2 tasks are replaced at a time"),
        (
            'update = { delay = "1s" }',
            service(**WELL),
            'waits 1.0 s: too short for the pool shop to follow; set delay = "2s"',
        ),
        ("", service(**SLOW), "Swarm kills a task 10 s after it was asked to end; drain waits 1 min"),
    ],
)
def test_what_is_not_zero_downtime(table: str, of: dict[str, Any], said: str) -> None:
    assert any(said in line for line in told(app_of(table), of)), list(told(app_of(table), of))


def test_a_fixed_port_with_a_node_to_spare_and_a_fixed_address() -> None:
    fixed = app_of(app='pool = "shop"\nslots = { main = "10.0.0.1:8000" }')
    assert list(told(fixed, service(container=PATIENT, ports=[FIXED]), nodes=3)) == []
    assert len(list(told(fixed, service(container=PATIENT, ports=[FIXED]), nodes=2))) == 1


def test_no_health_check() -> None:
    (line,) = told(app_of(), service(**WELL), checked=False)
    assert "a task counts as running at once; add a HEALTHCHECK" in line
