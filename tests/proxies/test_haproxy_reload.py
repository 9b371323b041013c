"""A reload of HAProxy counts when there is proof: taken, refused, and by whom it was asked for."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from proxyswitch.errors import UsageError
from proxyswitch.model import Endpoint
from proxyswitch.proxies import haproxy_process, haproxy_reload, haproxy_socket, haproxy_trigger
from proxyswitch.proxies.base import NotTaken
from proxyswitch.proxies.haproxy_arguments import parse
from proxyswitch.proxies.haproxy_process import Instance
from proxyswitch.proxies.haproxy_reload import State, capture, old_workers, prove, untouched
from proxyswitch.proxies.haproxy_replies import processes
from proxyswitch.system import net, proc, signals
from proxyswitch.system.run import Command, Result
from tests.proxies.haproxy_world import LIMIT, World, as_user, ended, eventually, world


@pytest.fixture
def place(tmp_path: Path, haproxy_binary: str) -> Iterator[World]:
    with world(tmp_path, haproxy_binary) as made:
        made.write()
        yield made


def without_socket(place: World) -> Instance:
    return place.start("-W", "-f", str(place.conf))


def with_socket(place: World) -> Instance:
    return place.master()


def plain(place: World) -> Instance:
    return place.start("-D", "-f", str(place.conf), "-p", str(place.folder / "h.pid"))


Starter = Callable[[World], Instance]
every_way = pytest.mark.parametrize("start", [with_socket, without_socket, plain])
masters = pytest.mark.parametrize("start", [with_socket, without_socket])


def change(place: World) -> None:
    """A change that shows: the answer's status tells which config is live."""
    place.write(more="    http-request deny deny_status 410\n")


def status(place: World) -> int:
    """The status that HAProxy answers: 410 where the config denies, else 503, for nothing listens at its server."""
    with net.connect(Endpoint("127.0.0.1", place.port), LIMIT) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return int(sock.recv(100).split()[1])


@contextmanager
def taken_port() -> Iterator[int]:
    """A port on which another process of this machine listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def reload(place: World, instance: Instance, *, admin: bool = True) -> State:
    """Capture, reload and prove it."""
    state = through_json(capture(instance, place.admin if admin else None))
    haproxy_reload.reload(instance, state)
    prove(state, LIMIT)
    return state


def through_json(state: State) -> State:
    return haproxy_reload.from_data(json.loads(json.dumps(haproxy_reload.as_data(state))))


def refused(place: World, instance: Instance) -> NotTaken:
    """A reload that is not taken: the old worker serves on, and `untouched` says so."""
    state = capture(instance, place.admin)
    pid = place.answering()
    with pytest.raises(NotTaken) as caught:
        reload(place, instance)
    assert untouched(state)
    assert haproxy_process.workers(instance).current == state.current
    assert place.answering() == pid or "answers no more until HAProxy is restarted" in caught.value.state
    assert old_workers(state) == []
    return caught.value


# captured


@every_way
def test_what_serves_is_captured_as_data(place: World, start: Starter) -> None:
    instance = start(place)
    state = capture(instance, place.admin)
    assert through_json(state) == state
    assert state.process == instance.process
    assert [p.pid for p in state.current] == [place.answering()]
    assert state.old == ()
    assert state.socket == (f"unix:{place.master_socket}" if start is with_socket else "")
    assert state.failed == (-1 if start is plain else 0)
    assert untouched(state)
    assert old_workers(state) == []


def test_a_master_socket_that_nobody_answers_is_not_used(place: World) -> None:
    instance = place.master()
    os.unlink(place.master_socket)
    state = capture(instance, place.admin)
    assert state.socket == ""
    assert [p.pid for p in state.current] == [place.answering()]


def test_a_master_socket_that_belongs_to_another_instance_is_not_used(place: World) -> None:
    first = place.master()
    (place.folder / "b").mkdir()
    with world(place.folder / "b", place.binary) as other:
        other.write()
        second = other.start("-W", "-S", place.master_socket, "-f", str(other.conf))
        assert eventually(lambda: place.master_answers(second))
        assert capture(first, None).socket == ""


# taken


@every_way
def test_a_reload_is_taken(place: World, start: Starter) -> None:
    instance = start(place)
    change(place)
    state = reload(place, instance)
    assert status(place) == 410
    assert not untouched(state)
    assert all(ended(p) for p in state.current)
    assert old_workers(state) == []


@every_way
def test_an_old_worker_that_still_has_a_connection_is_named(place: World, start: Starter) -> None:
    instance = start(place)
    with place.held():
        state = reload(place, instance)
        assert old_workers(state) == list(state.current)
        (now,) = place.instances()
        again = reload(place, now)
        assert set(again.old) == set(state.current)
        assert set(again.current) <= set(old_workers(again)) | {p for p in again.current if not proc.alive(p)}
        assert state.current[0] in old_workers(again)
    assert ended(state.current[0])


@every_way
def test_without_an_admin_socket_the_processes_are_the_proof(place: World, start: Starter) -> None:
    instance = start(place)
    change(place)
    state = reload(place, instance, admin=False)
    assert status(place) == 410
    assert not untouched(state)


@masters
def test_two_reloads_one_after_the_other(place: World, start: Starter) -> None:
    instance = start(place)
    first = reload(place, instance)
    second = reload(place, instance)
    assert not set(first.current) & set(second.current)
    (now,) = place.instances()
    assert now.process == instance.process


def test_a_plain_process_leaves_its_place_to_another(place: World) -> None:
    instance = plain(place)
    reload(place, instance)
    (now,) = place.instances()
    assert now.process != instance.process
    assert int((place.folder / "h.pid").read_text()) == now.process.pid
    assert now.arguments.command == instance.arguments.command
    reload(place, now)


def test_a_plain_process_with_files_behind_two_dashes(place: World) -> None:
    instance = place.start("-D", "--", str(place.conf))
    change(place)
    reload(place, instance)
    assert status(place) == 410


def test_a_daemon_by_its_config_alone(place: World) -> None:
    place.write(extra="daemon")
    instance = place.start("-f", str(place.conf))
    reload(place, instance)


def test_a_plain_process_is_started_with_its_own_environment(place: World) -> None:
    place.write(more='    http-request deny deny_status "${CODE}"\n')
    instance = place.start("-D", "-f", str(place.conf), env={"CODE": "410"})
    assert "CODE" not in os.environ
    place.write(more='    http-request deny deny_status "${CODE}"\nbackend more\n')
    reload(place, instance)
    assert status(place) == 410


@pytest.mark.root
@every_way
def test_root_reloads_what_an_ordinary_user_runs(haproxy_binary: str, start: Starter) -> None:
    with tempfile.TemporaryDirectory() as name, world(Path(name), haproxy_binary, "nobody") as place:
        shutil.chown(place.folder, "nobody")
        place.write()
        instance = start(place)
        if start is plain:
            with pytest.raises(UsageError, match="would run as root"):
                reload(place, instance)
        else:
            reload(place, instance)


@pytest.mark.root
@every_way
def test_an_ordinary_user_reloads_what_is_theirs(haproxy_binary: str, start: Starter) -> None:
    with tempfile.TemporaryDirectory() as name, world(Path(name), haproxy_binary, "nobody") as place:
        shutil.chown(place.folder, "nobody")
        place.write()
        instance = start(place)
        change(place)
        as_user("nobody", lambda: reload(place, instance).failed)
        assert status(place) == 410


@pytest.mark.root
@every_way
def test_an_ordinary_user_cannot_reload_what_is_roots(place: World, start: Starter) -> None:
    instance = start(place)
    current = haproxy_process.workers(instance).current
    with pytest.raises(AssertionError, match="UsageError: no permission to"):
        as_user("nobody", lambda: haproxy_reload.reload(instance, capture(instance, None)))
    assert haproxy_process.workers(instance).current == current


# refused


@masters
def test_a_broken_config_is_not_taken(place: World, start: Starter) -> None:
    instance = start(place)
    place.conf.write_text("nonsense\n")
    error = refused(place, instance)
    if start is with_socket and haproxy_process.version(place.binary).version >= (2, 7):  # the master tells then
        assert error.what.startswith(f"HAProxy did not take the reload: {place.conf}:1: unknown keyword 'nonsense'")
    else:
        assert "did not take the reload, and serves with the config that it had" in error.what
        assert error.next_step == f"read what it wrote: {place.folder}/log"
    assert "nonsense" in place.log


@masters
def test_a_port_in_use_is_not_taken(place: World, start: Starter) -> None:
    instance = start(place)
    with taken_port() as port:
        place.write(more=f"frontend more\n    bind 127.0.0.1:{port}\n")
        refused(place, instance)
    place.write()
    reload(place, instance)


@masters
def test_a_failed_reload_after_a_failed_one(place: World, start: Starter) -> None:
    instance = start(place)
    place.conf.write_text("nonsense\n")
    refused(place, instance)
    assert capture(instance, None).failed == 1
    refused(place, instance)
    place.write()
    reload(place, instance)
    assert capture(instance, None).failed == 0


def test_a_missing_certificate_is_not_taken(place: World) -> None:
    instance = place.master()
    place.write(more="frontend more\n    bind 127.0.0.1:1 ssl crt missing.pem\n")
    refused(place, instance)


@pytest.mark.parametrize("fault", ["port", "config"])
def test_a_plain_process_that_cannot_be_replaced_serves_on(place: World, fault: str) -> None:
    instance = plain(place)
    with taken_port() as port:
        place.write(more=f"frontend more\n    bind 127.0.0.1:{port}\n" if fault == "port" else "nonsense\n")
        error = refused(place, instance)
    assert "a new HAProxy could not take over" in error.what
    assert "cannot bind socket" in error.what if fault == "port" else "'nonsense'" in error.what
    assert error.state.startswith("the old process serves on, but") if fault == "port" else place.answering()
    assert status(place) == 503


def test_a_master_that_ends_in_the_reload_is_told(place: World) -> None:
    instance = place.master()
    state = capture(instance, place.admin)
    signals.send(instance.process, signals.KILL)
    place.children[0].wait()
    with pytest.raises(NotTaken, match="ended during the reload") as caught:
        prove(state, LIMIT)
    assert "everything is as before" not in caught.value.lines()[1]
    assert not untouched(state)


@pytest.mark.parametrize("start", [without_socket, plain])
def test_a_process_that_is_gone_cannot_be_reloaded(place: World, start: Starter) -> None:
    instance = start(place)
    state = capture(instance, place.admin)
    signals.send(instance.process, signals.KILL)
    assert ended(instance.process)
    with pytest.raises(NotTaken, match="is gone"):
        haproxy_reload.reload(instance, state)
    with pytest.raises(NotTaken, match="ended during the reload"):
        prove(state, LIMIT)


@every_way
def test_no_reload_is_no_proof(place: World, start: Starter) -> None:
    state = capture(start(place), place.admin)
    with pytest.raises(NotTaken, match=r"did not take the reload within 0\.1s|100ms|0\.1 s"):
        prove(state, 0.1)
    assert untouched(state)


def test_a_worker_that_died_and_was_replaced_by_nobody_is_no_proof(place: World) -> None:
    instance = place.master()
    state = capture(instance, place.admin)
    signals.send(state.current[0], signals.KILL)
    with pytest.raises(NotTaken):
        prove(state, 1)
    assert not untouched(state)


def test_a_new_worker_that_does_not_answer_on_the_admin_socket_is_no_proof(place: World) -> None:
    instance = place.master()
    state = capture(instance, place.admin)
    place.conf.write_text(place.conf.read_text().replace("admin.sock", "moved.sock"))
    haproxy_reload.reload(instance, state)
    with pytest.raises(NotTaken, match="a new HAProxy worker runs") as caught:
        prove(state, 1)
    assert "has loaded the new config" in caught.value.state
    assert not untouched(state)


def test_an_old_worker_that_still_takes_connections_is_no_proof(place: World) -> None:
    place.write(extra="grace 1s")
    instance = place.master()
    state = capture(instance, place.admin)
    haproxy_reload.reload(instance, state)
    with pytest.raises(NotTaken, match="still took new connections") as caught:
        prove(state, 0.4)
    assert "grace" in caught.value.next_step
    assert not untouched(state)
    prove(state, LIMIT)
    assert haproxy_process.accepts(state.current[0]) is False


def test_a_reload_that_is_under_way_is_waited_for(place: World) -> None:
    """While HAProxy reads its config, all looks as before."""
    instance = without_socket(place)
    state = capture(instance, place.admin)
    good = place.conf.read_text()
    place.conf.unlink()
    os.mkfifo(place.conf)  # HAProxy loads until somebody writes into it
    haproxy_reload.reload(instance, state)
    assert eventually(lambda: (told := haproxy_process.reloads(instance.process)) and told.loading)
    writer = threading.Timer(0.2, lambda: place.conf.write_text(good))
    writer.start()
    assert not untouched(state)
    writer.join()


# who may, and who is asked


def test_a_process_in_the_foreground_without_a_master_cannot_be_reloaded(place: World) -> None:
    for words in (["-f", str(place.conf)], ["-D", "-db", "-f", str(place.conf)]):
        place.spawn(*words)
        assert eventually(place.instances)
        (instance,) = place.instances()
        with pytest.raises(UsageError, match="runs in the foreground") as caught:
            haproxy_reload.reload(instance, capture(instance, place.admin))
        assert "master-worker mode" in caught.value.next_step
        place.stop()


def test_a_master_that_would_lose_its_folder_is_not_reloaded(place: World) -> None:
    """Versions that do not execute themselves at the start run with a relative folder until the first reload."""
    words = ["haproxy", "-W", "-C", "sub", "-f", "haproxy.cfg"]
    started = place.master()
    instance = started._replace(arguments=parse(words, str(place.folder / "sub")))
    with pytest.raises(UsageError, match="started with `-C sub`"):
        haproxy_trigger.check(instance)
    for same in (".", str(place.folder), "../" + place.folder.name):
        words[3] = same
        haproxy_trigger.check(started._replace(arguments=parse(words, str(place.folder))))


class Systemctl:
    """Stands for `systemctl`: it remembers what it was told, and passes a reload on to the master as systemd does."""

    def __init__(self, instance: Instance, *, main: int = 0, ok: bool = True) -> None:
        self.instance = instance
        self.main = main or instance.process.pid
        self.ok = ok
        self.told: list[tuple[str, ...]] = []

    def run(self, command: Command) -> Result:
        self.told.append(command.argv)
        if command.argv[1] == "show":
            return Result(0, f"{self.main}\n", "", 0.0)
        if self.ok:
            signals.send(self.instance.process, signals.number("USR2"))
            return Result(0, "", "", 0.0)
        return Result(1, "", "Job for haproxy.service failed.\n", 0.0)


def under_systemd(monkeypatch: pytest.MonkeyPatch, systemctl: Systemctl) -> Systemctl:
    monkeypatch.setattr(haproxy_trigger, "unit_of", lambda process: "haproxy.service")
    monkeypatch.setattr(haproxy_trigger, "run", systemctl.run)
    return systemctl


def test_systemd_is_asked_for_its_service(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = without_socket(place)
    systemctl = under_systemd(monkeypatch, Systemctl(instance))
    change(place)
    reload(place, instance)
    assert systemctl.told[-1] == ("systemctl", "reload", "haproxy.service")
    assert status(place) == 410


def test_a_reload_that_systemd_refuses_is_not_taken(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = without_socket(place)
    under_systemd(monkeypatch, Systemctl(instance, ok=False))
    error = refused(place, instance)
    assert "systemctl reload haproxy.service failed: Job for haproxy.service failed." in error.what
    assert error.next_step == "look with: journalctl -u haproxy.service -n 30"


def test_a_service_that_haproxy_was_started_in_by_hand_is_left_alone(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = without_socket(place)
    systemctl = under_systemd(monkeypatch, Systemctl(instance, main=1))
    reload(place, instance)
    assert {words[1] for words in systemctl.told} == {"show"}


def test_with_a_master_socket_systemd_is_not_asked(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = place.master()
    systemctl = under_systemd(monkeypatch, Systemctl(instance))
    reload(place, instance)
    assert systemctl.told == []


def test_a_reload_that_the_master_says_has_failed_is_not_taken(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 2.7 on the master answers, with the log of the start."""
    log = (
        "[NOTICE]   (1) : haproxy version is 2.8.1\n[ALERT]    (1) : config : parsing [/etc/h.cfg:3]: unknown keyword 'x'\n"
    )
    verdict = haproxy_socket.Verdict(False, log)
    monkeypatch.setattr(haproxy_socket.Master, "reload", lambda self: verdict)
    error = refused(place, place.master())
    assert error.what == "HAProxy did not take the reload: /etc/h.cfg:3: unknown keyword 'x'"


def test_the_place_of_the_log_is_named(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = without_socket(place)
    place.conf.write_text("nonsense\n")
    monkeypatch.setattr(haproxy_process, "unit_of", lambda process: "haproxy@a.service")
    assert refused(place, instance).next_step == "look with: journalctl -u haproxy@a.service -n 30"


def test_a_worker_that_goes_on_after_a_failed_reload_serves() -> None:
    """As 3.2 tells it: nobody is among the workers, and who serves among the old ones."""
    head = "#<PID>          <type>          <reloads>       <uptime>        <version>      \n"
    text = (
        f"{head}10              master          3 [failed: 1]   0d00h00m09s     3.2.26-1       \n# workers\n# old workers\n"
        "11              worker          3               0d00h00m09s     3.2.26-1       \n"
        "12              worker          1               0d00h00m03s     3.2.26-1       \n\n"
    )
    serving, old = haproxy_reload.sorted_workers(processes(text))
    assert ([w.pid for w in serving], [w.pid for w in old]) == ([12], [11])
