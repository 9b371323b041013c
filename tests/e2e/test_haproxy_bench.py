"""The bench itself: what it says of HAProxy is so."""

from __future__ import annotations

import os
import pwd
import signal
import tempfile
from pathlib import Path

import pytest

from proxyswitch.system import proc, signals
from tests.e2e.clients import echo_server, upgraded
from tests.e2e.haproxy_support import CONF, POOLS, WITH_STATE, HaproxyBench, haproxy_bench
from tests.e2e.support import eventually

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

BLUE, GREEN = ("app_backend", "app-blue"), ("app_backend", "app-green")


@pytest.fixture(params=["ha", "plain"])
def either(request: pytest.FixtureRequest) -> HaproxyBench:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, HaproxyBench)
    return found


def test_it_serves(either: HaproxyBench) -> None:
    assert either.version() == "1"
    assert either.accepts()
    assert [either.state_of(*BLUE), either.state_of(*GREEN)] == ["ready", "maint"]
    assert either.address_of(*BLUE) == f"127.0.0.1:{either.blue}"
    assert either.weight_of(*BLUE) == 1


def test_processes(ha: HaproxyBench) -> None:
    assert len(ha.workers_now) == 1
    assert {proc.parent(pid) for pid in ha.workers_now} == {ha.master.pid}
    assert f"{ha.master.pid} " in ha.ask_master("show proc")


def test_one_process(plain: HaproxyBench) -> None:
    assert plain.workers_now == {plain.master.pid} == {p.pid for p in plain.processes}


def test_a_reload_forgets_what_was_set(either: HaproxyBench) -> None:
    old = either.workers_now
    either.tell("set server app_backend/app-blue state drain")
    either.tell("set server app_backend/app-blue weight 50")
    assert [either.state_of(*BLUE), either.weight_of(*BLUE)] == ["drain", 50]
    either.reload()
    assert not either.workers_now <= old
    assert [either.state_of(*BLUE), either.weight_of(*BLUE)] == ["ready", 1]
    assert eventually(lambda: not either.workers_now & old)
    assert either.version() == "1"


def test_a_reload_takes_the_new_config(either: HaproxyBench) -> None:
    pools = POOLS.replace(" disabled", "").replace("ms  ", "ms disabled  ")
    either.write(either.blue, green=either.instance("2"), pools=pools)
    either.reload()
    assert [either.state_of(*BLUE), either.state_of(*GREEN)] == ["maint", "ready"]
    assert either.version() == "2"


def test_an_old_worker_stays_for_its_clients(either: HaproxyBench) -> None:
    with echo_server() as port:
        either.write(port)
        either.reload()
        with upgraded(either) as client:
            old = either.workers_now
            either.reload()
            assert either.workers_now & old
            assert client.echo("still here") == "still here"
        assert eventually(lambda: not either.workers_now & old)


def test_a_restart(either: HaproxyBench) -> None:
    old, port = either.processes, either.port
    either.restart()
    assert not set(old) & set(either.processes)
    assert (either.port, either.version()) == (port, "1")


def test_a_bad_config_is_not_accepted(ha: HaproxyBench) -> None:
    ha.write(ha.blue, pools=POOLS.replace("check", "chekc"))
    assert not ha.accepts()
    with pytest.raises(AssertionError):
        ha.restart()
    assert not ha.processes


def test_states(ha: HaproxyBench) -> None:
    for state in ("maint", "drain", "ready"):
        ha.tell(f"set server app_backend/app-green state {state}")
        assert ha.state_of(*GREEN) == state
    assert "127.0.0.9" in ha.ask("set server app_backend/app-green addr 127.0.0.9 port 3009")
    assert ha.address_of(*GREEN) == "127.0.0.9:3009"
    with pytest.raises(AssertionError, match="No such server"):
        ha.tell("set server app_backend/app-red state ready")


def test_a_state_file(ha_place: HaproxyBench) -> None:
    ha_place.write(9, conf=WITH_STATE)
    ha_place.start()
    ha_place.tell("set server app_backend/app-green state ready")
    ha_place.save_state()
    ha_place.reload()
    assert ha_place.state_of(*GREEN) == "ready"


def test_several_files(ha_place: HaproxyBench) -> None:
    ha_place.write(ha_place.instance("1"), conf=CONF, pools="")
    ha_place.write_more("backends/app.cfg", POOLS)
    ha_place.start()
    assert ha_place.version() == "1"
    ha_place.restart()
    assert ha_place.state_of(*GREEN) == "maint"


def test_another_port_when_it_is_taken(ha: HaproxyBench, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    with haproxy_bench(tmp_path / "second") as second:
        second.port = ha.port  # two HAProxies of one user may listen on one port: each would get some of the clients
        second.write(second.instance("2"))
        second.start()
        assert second.port != ha.port
        assert (ha.version(), second.version()) == ("1", "2")


def test_nothing_done_sees_what_was_done(ha: HaproxyBench) -> None:
    with ha.nothing_done():
        assert ha.accepts()
        assert ha.version() == "1"
    with pytest.raises(AssertionError), ha.nothing_done():
        ha.reload()
    assert eventually(lambda: len(ha.workers_now) == 1)
    with pytest.raises(AssertionError), ha.nothing_done():
        ha.tell("set server app_backend/app-green state drain")
    with pytest.raises(AssertionError), ha.nothing_done():
        ha.write(ha.blue, pools=POOLS + "# more")


def test_taken_back_lets_the_workers_change(ha: HaproxyBench) -> None:
    with ha.taken_back():
        ha.reload()
    with pytest.raises(AssertionError), ha.taken_back():
        ha.write(ha.blue, pools=POOLS + "# more")


def test_the_state_file_without_its_times(ha_place: HaproxyBench) -> None:
    ha_place.write(9, conf=WITH_STATE)
    ha_place.start()
    ha_place.save_state()
    with ha_place.taken_back():
        text = ha_place.state_file.read_text()
        ha_place.state_file.write_text("".join(moved(line) for line in text.splitlines(keepends=True)))
        assert ha_place.state_file.read_text() != text
    ha_place.tell("set server app_backend/app-green state drain")
    with pytest.raises(AssertionError), ha_place.taken_back():
        ha_place.save_state()


def moved(line: str) -> str:
    """That row of a state file, some time later."""
    words = line.split(" ")
    return " ".join([*words[:9], "1234", *words[10:]]) if len(words) > 10 and words[0] != "#" else line


def test_the_command_gets_the_config(ha_place: HaproxyBench) -> None:
    words = ["--haproxy-conf", str(ha_place.conf)]
    assert ha_place.argv("show")[-3:] == ["show", *words]
    assert ha_place.argv("history")[-1] == "history"
    assert ha_place.argv("--version")[-1] == "--version"
    assert ha_place.argv("show", "--haproxy-socket", "/x")[-2:] == ["--haproxy-socket", "/x"]
    assert ha_place.argv("show", "--haproxy-conf=/x")[-2:] == ["show", "--haproxy-conf=/x"]
    assert ha_place.argv("show", "--haproxy-conf", "/x")[-3:] == ["show", "--haproxy-conf", "/x"]
    assert ha_place.run("--version").code == 0
    with ha_place.spawn("--version") as child:
        assert child.wait(60) == 0


@pytest.mark.root
@pytest.mark.parametrize("master", [True, False])
def test_another_user(master: bool, haproxy_binary: str) -> None:
    with tempfile.TemporaryDirectory() as name, haproxy_bench(Path(name), user="www-data") as place:
        place.write(place.instance("1"))
        place.start(master=master)
        assert {proc.owner(p.pid) for p in place.processes} == {pwd.getpwnam("www-data").pw_uid}
        assert os.stat(place.admin).st_uid == pwd.getpwnam("www-data").pw_uid
        place.reload()
        assert place.accepts()
        assert place.version() == "1"


def test_all_is_gone_afterwards(ha: HaproxyBench) -> None:
    family = ha.processes
    ha.stop()
    assert len(family) == 2
    assert not any(map(proc.alive, family))
    assert not ha.processes


def test_stopped_processes_end_too(ha: HaproxyBench) -> None:
    for process in ha.processes:
        signals.send(process, signal.SIGSTOP)
    ha.end()
    assert not ha.processes
