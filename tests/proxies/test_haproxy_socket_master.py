"""The master socket of a real HAProxy: its processes, each worker through it, and a reload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.errors import NOTHING_CHANGED, UsageError
from proxyswitch.model import ServerState
from proxyswitch.proxies.haproxy_socket import Denied, Master, SocketError, Unreachable, WorkerGone
from tests.proxies.socket_support import Haproxy, eventually, request, silent_server


@pytest.fixture
def haproxy(tmp_path: Path, haproxy_binary: str) -> Iterator[Haproxy]:
    made = Haproxy(tmp_path, haproxy_binary)
    try:
        with silent_server() as slow:
            made.start("-W", "-S", f"{tmp_path}/master.sock", slow=slow)
            yield made
    finally:
        made.stop()


def test_processes(haproxy: Haproxy) -> None:
    assert haproxy.child
    now = haproxy.master.processes()
    assert (now.master.pid, now.master.kind, now.master.reloads, now.master.failed) == (haproxy.child.pid, "master", 0, 0)
    assert [w.pid for w in now.workers] == [int(haproxy.runtime().info()["Pid"])]
    assert (now.old, now.programs) == ((), ())
    assert 0 <= now.workers[0].uptime < 60
    assert now.master.version.startswith(".".join(map(str, haproxy.runtime().version())))


def test_a_worker_by_its_pid_and_the_newest(haproxy: Haproxy) -> None:
    pid = haproxy.master.processes().workers[0].pid
    for worker in (haproxy.master.worker(pid), haproxy.master.current()):
        assert int(worker.info()["Pid"]) == pid
        assert worker.level() == "admin"
        assert len(worker.stats()) == len(worker.servers()) == 7
        assert worker.sessions("app", "one").count == 0
        worker.set_state("app", "one", ServerState.DRAIN)
        worker.set_weight("app", "one", 0)
        assert worker.servers_text() == haproxy.runtime().servers_text()
        with pytest.raises(SocketError, match="No such server") as caught:
            worker.set_state("app", "two", ServerState.DRAIN)
        assert caught.value.state == NOTHING_CHANGED
        worker.add_server("app", "new", "127.0.0.1:1")
        worker.del_server("app", "new")


def test_a_worker_that_is_not_there(haproxy: Haproxy) -> None:
    worker = haproxy.master.worker(haproxy.master.processes().master.pid)  # the master is no worker
    for call in (worker.info, worker.servers_text, lambda: worker.set_weight("app", "one", 1)):
        with pytest.raises(WorkerGone, match=r"master\.sock \(worker \d+\): .*there is no such worker") as caught:
            call()
        assert caught.value.state == NOTHING_CHANGED


def test_large_answers_come_whole_through_the_master(tmp_path: Path, haproxy_binary: str) -> None:
    """The write side is shut down by then; some 400 kB of statistics follow."""
    made = Haproxy(tmp_path, haproxy_binary)
    rows = "\n".join(f"    server s{n} 127.0.0.1:{n + 1}" for n in range(2000))
    try:
        made.start("-W", "-S", f"{tmp_path}/master.sock", conf=CONF_MANY + rows + "\n")
        names = [f"s{n}" for n in range(2000)]
        for runtime in (made.runtime(), made.master.current()):
            assert [s.server for s in runtime.stats()] == [r.server for r in runtime.servers("many")] == names
    finally:
        made.stop()


CONF_MANY = """\
global
    stats socket {folder}/admin.sock mode 600 level admin
defaults
    timeout connect 5s
    timeout client 60s
    timeout server 60s
backend many
"""


def reloaded(haproxy: Haproxy) -> int:
    """Reload, and wait for the new worker; returns its pid."""
    before = {w.pid for w in haproxy.master.processes().workers}
    verdict = haproxy.master.reload()
    assert verdict.success is not False, verdict.log
    assert eventually(lambda: not before & {w.pid for w in haproxy.master.processes().workers})
    assert eventually(lambda: haproxy.master.current().info())
    return haproxy.master.processes().workers[0].pid


def test_reload(haproxy: Haproxy) -> None:
    before = haproxy.master.processes()
    pid = reloaded(haproxy)
    after = haproxy.master.processes()
    assert after.master.pid == before.master.pid
    assert (after.master.reloads, after.master.failed) == (1, 0)
    assert pid != before.workers[0].pid
    assert eventually(lambda: haproxy.master.processes().old == ())
    with pytest.raises(WorkerGone):
        haproxy.master.worker(before.workers[0].pid).info()


def test_the_verdict_is_as_the_version_gives_it(haproxy: Haproxy) -> None:
    verdict = haproxy.master.reload()
    assert eventually(lambda: haproxy.runtime().version())
    version = haproxy.runtime().version()
    assert verdict.success is (True if version >= (2, 7) else None)


def test_an_old_worker_is_seen_while_a_request_is_open(haproxy: Haproxy) -> None:
    old = haproxy.master.processes().workers[0].pid
    with request(haproxy.port):
        assert eventually(lambda: haproxy.runtime().sessions("app", "one").count == 1)
        new = reloaded(haproxy)
        now = haproxy.master.processes()
        assert ([w.pid for w in now.workers], [w.pid for w in now.old]) == ([new], [old])
        assert now.old[0].reloads == 1
        assert (haproxy.master.worker(old).sessions("app", "one").count, haproxy.runtime().sessions("app", "one").count) == (
            1,
            0,
        )
        stat = haproxy.master.worker(old).stat("app", "one")
        assert stat
        assert stat.scur == 1
    assert eventually(lambda: haproxy.master.processes().old == ())


def test_a_reload_that_fails_is_counted(haproxy: Haproxy) -> None:
    before = haproxy.master.processes()
    haproxy.conf.write_text(haproxy.conf.read_text() + "nonsense\n")
    verdict = haproxy.master.reload()
    assert verdict.success is not True
    assert eventually(lambda: haproxy.master.processes().master.failed == 1)
    after = haproxy.master.processes()
    assert [w.pid for w in after.workers] == [w.pid for w in before.workers]
    assert haproxy.master.current().level() == "admin"


def test_a_master_socket_of_another_level(tmp_path: Path, haproxy_binary: str) -> None:
    made = Haproxy(tmp_path, haproxy_binary)
    try:
        made.start("-W", "-S", f"{tmp_path}/master.sock,level,user")
        assert made.master.level() == "user"
        with pytest.raises(Denied, match=r"master\.sock has `level user`; `reload` needs `level operator`") as caught:
            made.master.reload()
        assert "master.sock,level,operator`" in caught.value.next_step
        with pytest.raises(Denied, match="`set server` needs `level admin`"):
            made.master.current().set_weight("app", "one", 1)
    finally:
        made.stop()


def test_no_master_socket(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="there is no such socket") as caught:
        Master(Haproxy(tmp_path, "").at("master")).processes()
    assert "start it with `-S " in caught.value.next_step


def test_an_admin_socket_is_no_master(haproxy: Haproxy) -> None:
    master = Master(haproxy.at("admin"))
    with pytest.raises(SocketError, match='not what `show proc` prints; it answered "Unknown command'):
        master.processes()
    with pytest.raises(SocketError, match='`reload`: HAProxy refuses: "Unknown command') as caught:
        master.reload()
    assert caught.value.state == NOTHING_CHANGED


def test_the_master_has_no_servers(haproxy: Haproxy) -> None:
    runtime = haproxy.runtime("master")
    runtime.channel.master = True
    with pytest.raises(SocketError, match="Unknown command"):
        runtime.servers()
    with pytest.raises(SocketError, match='refuses: "Unknown command') as caught:
        runtime.set_weight("app", "one", 1)
    assert caught.value.state == NOTHING_CHANGED


def test_one_command_to_the_master(haproxy: Haproxy) -> None:
    assert haproxy.master.ask("show version").strip()
    with pytest.raises(UsageError, match="not one command"):
        haproxy.master.ask("show proc; reload")
