from __future__ import annotations

import os
import re
import socket

import pytest

from proxyswitch.drivers import _adopted
from proxyswitch.errors import Failed, UsageError
from proxyswitch.model import Endpoint
from proxyswitch.system import net, proc, signals
from tests.drivers.world import PATIENCE, World, wait


def workers(world: World) -> list[int]:
    """The two workers of the first stranger."""
    wait(lambda: len(re.findall(r"worker (\d+)\n", world.stranger_says())) == 2)
    return [int(pid) for pid in re.findall(r"worker (\d+)\n", world.stranger_says())]


def test_only_the_one_that_listens_is_taken(world: World) -> None:
    stranger = world.stranger(world.ports["blue"])
    other = world.stranger(world.ports["green"])
    found = world.driver(adopt_port=True).status(world.slot())
    assert found
    assert (found.process, found.version, found.ours) == (stranger, "", False)
    assert found.since == pytest.approx(proc.started(stranger), abs=60)
    with pytest.raises(UsageError, match="is taken by") as caught:
        world.driver(adopt_port=True).check(world.slot())
    assert caught.value.next_step == "proxyswitch stop web:blue"
    assert world.driver(adopt_port=True).stop(world.slot())
    assert not proc.alive(stranger)
    assert proc.alive(other)
    assert world.driver(adopt_port=True).stop(world.slot()) is False
    assert world.driver(adopt_port=True).status(world.slot()) is None


def test_unix_socket(world: World) -> None:
    path = world.folder / "app.sock"
    stranger = world.stranger(SOCKET=str(path))
    driver = world.driver(slots={"blue": f"unix:{path}"}, adopt_port=True)
    assert driver.stop(driver._slots[0])
    assert not proc.alive(stranger)


def test_only_the_master_is_asked(world: World) -> None:
    master = world.stranger(world.ports["blue"], "workers")
    pids = workers(world)
    assert set(net.listeners(world.slot().endpoint)) == {master.pid, *pids}
    found = world.driver(adopt_port=True).status(world.slot())
    assert found
    assert found.process == master
    assert world.driver(adopt_port=True, grace=60).stop(world.slot())
    assert not proc.alive(master)
    assert not net.is_listening(world.slot().endpoint)
    assert "worker was signalled" not in world.stranger_says()


def test_deaf_master_and_workers_are_killed_after_the_grace(world: World) -> None:
    master = world.stranger(world.ports["blue"], "workers", "deaf", "stubborn")
    pids = workers(world)
    assert world.driver(adopt_port=True, grace=0.1).stop(world.slot())
    assert not proc.alive(master)
    assert [proc.identify(pid) for pid in pids] == [None, None]


def test_workers_that_outlive_their_master_are_killed_after_the_grace(world: World) -> None:
    world.stranger(world.ports["blue"], "workers", "stubborn")
    pids = workers(world)
    assert world.driver(adopt_port=True, grace=0.1).stop(world.slot())
    assert [proc.identify(pid) for pid in pids] == [None, None]


def test_worker_that_only_finishes_its_work_is_left(world: World) -> None:
    world.stranger(world.ports["blue"], "workers", "drain")
    pids = workers(world)
    assert world.driver(adopt_port=True, grace=PATIENCE).stop(world.slot())
    assert all(proc.identify(pid) for pid in pids)


def test_child_that_does_not_share_the_socket_is_left(world: World) -> None:
    stranger = world.stranger(world.ports["blue"], "child")
    wait(lambda: re.search(r"child (\d+)\n", world.stranger_says()))
    found = re.search(r"child (\d+)\n", world.stranger_says())
    assert found
    assert world.driver(adopt_port=True).stop(world.slot())
    assert not proc.alive(stranger)
    assert proc.identify(int(found[1]))


def test_one_that_also_listens_in_another_slot_is_refused(world: World) -> None:
    stranger = world.stranger(world.ports["blue"], world.ports["green"])
    for act in (world.driver(adopt_port=True).stop, world.driver(adopt_port=True).status):
        with pytest.raises(Failed, match=rf"slot blue: process {stranger.pid} .* also listens in slot green"):
            act(world.slot("blue"))
    assert proc.alive(stranger)


def test_workers_without_a_master_are_refused(world: World) -> None:
    master = world.stranger(world.ports["blue"], "workers", "stubborn")
    pids = workers(world)
    signals.send(master, signals.KILL)
    wait(lambda: not proc.alive(master))
    with pytest.raises(Failed, match="they are not one instance") as caught:
        world.driver(adopt_port=True).stop(world.slot())
    assert all(str(pid) in caught.value.what for pid in pids)
    assert all(proc.identify(pid) for pid in pids)


def test_we_ourselves_are_refused(world: World) -> None:
    message = rf"process {os.getpid()} .* this command itself runs inside it"
    with socket.create_server(("127.0.0.1", world.ports["blue"])), pytest.raises(Failed, match=message):
        world.driver(adopt_port=True).stop(world.slot())


def test_an_ancestor_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "listeners", lambda endpoint: [os.getppid()] if endpoint.port else [])
    with pytest.raises(Failed, match="this command itself runs inside it"):
        _adopted.find(world.slot(), ())


def test_the_first_process_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = world.stranger(world.ports["blue"])
    monkeypatch.setattr(net, "listeners", lambda endpoint: [1, stranger.pid])
    with pytest.raises(Failed, match="the first process"):
        world.driver(adopt_port=True).stop(world.slot())
    assert proc.alive(stranger)


def test_one_that_cannot_be_seen_is_said_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.stranger(world.ports["blue"])
    monkeypatch.setattr(net, "listeners", lambda endpoint: [])
    with pytest.raises(UsageError, match="cannot be seen"):
        world.driver(adopt_port=True).stop(world.slot())
    with pytest.raises(UsageError, match="taken by a process that we may not see"):
        world.driver().check(world.slot())


def test_own_instance_comes_first(world: World) -> None:
    instance = world.driver(adopt_port=True).start(world.slot(), "1")
    wait(lambda: net.is_listening(world.slot().endpoint))
    assert world.driver(adopt_port=True).status(world.slot()) == instance


def test_ipv4_wildcard_is_not_in_an_ipv6_slot(world: World) -> None:
    with socket.create_server(("0.0.0.0", 0)) as sock:
        port = sock.getsockname()[1]
        assert net.listeners(Endpoint("127.0.0.1", port)) == [os.getpid()]
        assert not net.is_listening(Endpoint("::1", port))
