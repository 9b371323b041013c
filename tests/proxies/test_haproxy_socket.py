"""The runtime API of a real HAProxy: every reply of success, and every refusal."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxyswitch.errors import NOTHING_CHANGED, UsageError
from proxyswitch.model import Endpoint, ServerState
from proxyswitch.proxies.haproxy_socket import Denied, Runtime, SocketError, StillUsed, Unreachable, Unsupported, resolve
from tests.proxies.socket_support import Haproxy, eventually, request, silent_server

READY, DRAIN, MAINT = ServerState.READY, ServerState.DRAIN, ServerState.MAINT


@pytest.fixture
def haproxy(tmp_path: Path, haproxy_binary: str) -> Iterator[Haproxy]:
    made = Haproxy(tmp_path, haproxy_binary)
    try:
        with silent_server() as slow:
            made.start(slow=slow)
            yield made
    finally:
        made.stop()


@pytest.fixture
def runtime(haproxy: Haproxy) -> Runtime:
    return haproxy.runtime()


def test_who_it_is(haproxy: Haproxy, runtime: Runtime) -> None:
    assert haproxy.child
    assert int(runtime.info()["Pid"]) == haproxy.child.pid
    assert runtime.info()["Name"] == "HAProxy"
    assert ".".join(map(str, runtime.version())) == runtime.info()["Version"].partition("-")[0]
    assert 0 < runtime.seconds < 30


@pytest.mark.parametrize(
    ("name", "level"), [("admin", "admin"), ("operator", "operator"), ("user", "user"), ("verbose", "admin")]
)
def test_level(haproxy: Haproxy, name: str, level: str) -> None:
    assert haproxy.runtime(name).level() == level


def test_over_tcp(haproxy: Haproxy) -> None:
    runtime = Runtime(Endpoint("127.0.0.1", haproxy.tcp), timeout=10)
    assert runtime.level() == "admin"
    runtime.set_weight("app", "one", 3)
    assert {row.weight for row in runtime.servers("app") if row.server == "one"} == {3}
    with pytest.raises(SocketError, match=rf"127\.0\.0\.1:{haproxy.tcp}: .*No such server"):
        runtime.set_weight("app", "none", 3)


def test_stats_are_of_servers_by_exact_names(runtime: Runtime) -> None:
    found = {(s.backend, s.server): s for s in runtime.stats()}
    assert set(found) == {
        ("app", "one"), ("app", "one2"), ("app", "on"), ("app2", "one"), ("hashed", "one"), ("names", "t1"), ("names", "t2"),
    }  # fmt: skip
    one = found["app", "one"]
    assert (one.status, one.weight, one.scur, one.qcur, one.active, one.backup, one.mode) == (
        "no check",
        10,
        0,
        0,
        True,
        False,
        "http",
    )
    assert found["app", "one2"].backup
    assert not found["app", "one2"].active
    assert found["app", "on"].status == "MAINT"


def test_one_stat(runtime: Runtime) -> None:
    for backend, server in (("app", "one"), ("app", "on"), ("app2", "one"), ("names", "t2")):
        stat = runtime.stat(backend, server)
        assert stat
        assert (stat.backend, stat.server) == (backend, server)
    assert runtime.stat("app", "o") is None
    with pytest.raises(SocketError, match="there is no such backend"):
        runtime.stat("ap", "one")


def test_a_failed_check_shows(runtime: Runtime) -> None:
    assert eventually(lambda: (s := runtime.stat("app2", "one")) and s.status.startswith("DOWN"))
    stat = runtime.stat("app2", "one")
    assert stat
    assert (stat.check_status, stat.last_check) == ("L4CON", "Connection refused")


def test_rows(runtime: Runtime) -> None:
    rows = {row.server: row for row in runtime.servers("app")}
    assert list(rows) == ["one", "one2", "on"]
    one, off = rows["one"], rows["on"]
    assert (one.backend, one.address, one.weight, one.initial_weight, one.state) == ("app", "127.0.0.1", 10, 10, READY)
    assert one.port
    assert one.op_state == 2
    assert (off.state, off.admin_state & 4, off.fqdn) == (MAINT, 4, "")
    template = runtime.server("names", "t1")
    assert template
    assert (template.address, template.fqdn, template.state) == ("", "localhost", MAINT)
    assert len(runtime.servers()) == 7
    assert runtime.server("app", "two") is None


def test_state_file(haproxy: Haproxy, runtime: Runtime) -> None:
    """What it writes is what a new process reads: weight and state are there again."""
    runtime.set_weight("app", "one", 77)
    runtime.set_state("app", "one2", DRAIN)
    text = runtime.servers_text()
    assert text.startswith(b"1\n# be_id ")
    assert text.endswith(b"\n")
    assert not text.endswith(b"\n\n")
    assert text.count(b"\n") == 2 + 7
    assert runtime.servers_text("app").count(b"\n") == 2 + 3
    (haproxy.folder / "state").write_bytes(text)
    haproxy.stop()
    lines = haproxy.conf.read_text().replace("global\n", f"global\n    server-state-file {haproxy.folder}/state\n", 1)
    haproxy.start(conf=lines.replace("mode http", "mode http\n    load-server-state-from-file global", 1))
    rows = {row.server: row for row in runtime.servers("app")}
    assert (rows["one"].weight, rows["one2"].state) == (77, DRAIN)


def test_states(runtime: Runtime) -> None:
    for state in (DRAIN, MAINT, READY):
        runtime.set_state("app", "one", state)
        assert [r.state for r in runtime.servers("app")] == [state, READY, MAINT]
        assert [r.state for r in runtime.servers("app2")] == [READY]
    runtime.set_state("app", "on", READY)
    row = runtime.server("app", "on")
    assert row
    assert (row.state, row.admin_state & 4) == (READY, 4)


@pytest.mark.parametrize("weight", [0, 1, 256])
def test_weights(runtime: Runtime, weight: int) -> None:
    runtime.set_weight("app", "one", weight)
    row, stat = runtime.server("app", "one"), runtime.stat("app", "one")
    assert row
    assert stat
    assert (row.weight, stat.weight, row.initial_weight) == (weight, weight, 10)


@pytest.mark.parametrize("weight", [-1, 257, True, 1.5, "50%"])
def test_a_weight_out_of_range_is_not_sent(runtime: Runtime, weight: int) -> None:
    with pytest.raises(UsageError, match="out of range"):
        runtime.set_weight("app", "one", weight)
    assert runtime.seconds == 0


def test_addresses(runtime: Runtime) -> None:
    for host, port in (("127.0.0.9", 8001), ("127.0.0.9", 8001), ("127.0.0.9", 65535), ("127.0.0.8", 65535), ("::1", 1)):
        runtime.set_address("app", "one", Endpoint(host, port))
        row = runtime.server("app", "one")
        assert row
        assert (row.address, row.port) == (host, port)


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint("127.0.0.1", 0),
        Endpoint("127.0.0.1", 65536),
        Endpoint("127.0.0.1", 99999),
        Endpoint("localhost", 80),
        Endpoint("0.0.0.0", 80),
        Endpoint("fe80::1%lo", 80),
        Endpoint("127.0.0.1; help", 80),
        Endpoint(path="/run/app.sock"),
        Endpoint("", 80),
    ],
)
def test_an_address_that_cannot_be_is_not_sent(runtime: Runtime, endpoint: Endpoint) -> None:
    with pytest.raises(UsageError) as caught:
        runtime.set_address("app", "one", endpoint)
    assert caught.value.state == NOTHING_CHANGED
    assert runtime.seconds == 0


def test_a_name_is_looked_up() -> None:
    assert resolve(Endpoint("localhost", 80)) == Endpoint("127.0.0.1", 80)
    assert resolve(Endpoint("::1", 80)) == Endpoint("::1", 80)
    for endpoint in (Endpoint("no-such-host.invalid", 80), Endpoint(path="/run/x.sock")):
        with pytest.raises(UsageError, match="has no address"):
            resolve(endpoint)


def test_several_addresses_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxyswitch.system.net.addresses", lambda host: {"10.0.0.2", "10.0.0.1", "::1"})
    with pytest.raises(UsageError, match=r"several addresses \(10\.0\.0\.1, 10\.0\.0\.2\)"):
        resolve(Endpoint("app", 80))


Call = Callable[[Runtime], object]
REFUSED: list[tuple[Call, str]] = [
    (lambda r: r.set_state("app", "two", READY), "No such server."),
    (lambda r: r.set_state("nope", "one", READY), "No such backend."),
    (lambda r: r.set_weight("app", "two", 1), "No such server."),
    (lambda r: r.set_weight("nope", "one", 1), "No such backend."),
    (lambda r: r.set_weight("hashed", "one", 5), "Backend is using a static LB algorithm"),
    (lambda r: r.set_address("app", "two", Endpoint("127.0.0.1", 1)), "No such server."),
    (lambda r: r.set_address("nope", "one", Endpoint("127.0.0.1", 1)), "No such backend."),
    (lambda r: r.set_address("names", "t1", Endpoint("127.0.0.1", 1)), "Update for the current server address family"),
    (lambda r: r.shutdown_sessions("app", "two"), "No such server."),
    (lambda r: r.shutdown_sessions("nope", "one"), "No such backend."),
    (lambda r: r.enable_health("app", "two"), "No such server."),
    (lambda r: r.enable_health("app", "one"), "Health check was not configured"),
    (lambda r: r.enable_agent("app", "one"), "Agent was not configured"),
    (lambda r: r.add_server("app", "one", "127.0.0.1:1"), "Already exists a server with the same name"),
    (lambda r: r.add_server("nope", "new", "127.0.0.1:1"), "No such backend."),
    (lambda r: r.add_server("hashed", "new", "127.0.0.1:1"), "Backend must use a dynamic load balancing"),
    (lambda r: r.add_server("app", "new", "127.0.0.1:1", ["wieght", "1"]), "unknown keyword"),
    (lambda r: r.add_server("app", "new", "127.0.0.1:1", ["cookie", "a"]), "'cookie' option is not accepted"),
    (lambda r: r.del_server("app", "two"), "No such server."),
    (lambda r: r.del_server("app", "one"), "Only servers in maintenance mode can be deleted."),
]


@pytest.mark.parametrize("name", ["admin", "verbose"])
def test_refusals(haproxy: Haproxy, name: str) -> None:
    runtime = haproxy.runtime(name)
    for call, reply in REFUSED:
        with pytest.raises(SocketError) as caught:
            call(runtime)
        assert f'HAProxy refuses: "{reply}' in caught.value.what
        assert caught.value.what.startswith(f"{haproxy.folder}/{name}.sock: `")
        assert caught.value.state == NOTHING_CHANGED, reply
    assert [(r.server, r.state, r.weight) for r in runtime.servers("app")] == [
        ("one", READY, 10), ("one2", READY, 1), ("on", MAINT, 7),
    ]  # fmt: skip


def test_severity_is_no_part_of_a_reply(haproxy: Haproxy) -> None:
    """`severity-output` on the socket puts `[info]: ` before the messages."""
    runtime = haproxy.runtime("verbose")
    runtime.set_state("app", "one", DRAIN)
    runtime.set_address("app", "one", Endpoint("127.0.0.9", 8001))
    runtime.add_server("app", "new", "127.0.0.1:1")
    runtime.del_server("app", "new")
    assert runtime.sessions("app", "one").count == 0
    assert len(runtime.stats()) == len(runtime.servers()) == 7


CHANGES: list[tuple[Call, str]] = [
    (lambda r: r.set_state("app", "one", DRAIN), "set server"),
    (lambda r: r.set_weight("app", "one", 1), "set server"),
    (lambda r: r.set_address("app", "one", Endpoint("127.0.0.1", 1)), "set server"),
    (lambda r: r.add_server("app", "new", "127.0.0.1:1"), "add server"),
    (lambda r: r.del_server("app", "on"), "del server"),
    (lambda r: r.enable_health("app2", "one"), "enable health"),
    (lambda r: r.enable_agent("app2", "one"), "enable agent"),
    (lambda r: r.shutdown_sessions("app", "one"), "shutdown sessions"),
]


@pytest.mark.parametrize("level", ["operator", "user"])
def test_a_level_that_does_not_allow_it(haproxy: Haproxy, level: str) -> None:
    runtime = haproxy.runtime(level)
    for call, words in CHANGES:
        with pytest.raises(Denied) as caught:
            call(runtime)
        expected = f"{haproxy.folder}/{level}.sock has `level {level}`; `{words}` needs `level admin`"
        assert caught.value.what == expected
        assert "`level admin` on its `stats socket` line" in caught.value.next_step
    assert [(r.state, r.weight) for r in runtime.servers("app")] == [(READY, 10), (READY, 1), (MAINT, 7)]


def test_sessions_need_an_operator(haproxy: Haproxy) -> None:
    assert haproxy.runtime("operator").sessions("app", "one").count == 0
    with pytest.raises(Denied, match="has `level user`; `show sess` needs `level operator`"):
        haproxy.runtime("user").sessions("app", "one")


def test_sessions_are_those_of_that_very_server(haproxy: Haproxy, runtime: Runtime) -> None:
    with request(haproxy.port), request(haproxy.port):
        assert eventually(lambda: runtime.sessions("app", "one").count == 2)
        found = runtime.sessions("app", "one")
        assert len(set(found.ids)) == 2
        assert 0 <= found.oldest <= 60
        assert [runtime.sessions(b, s).count for b, s in (("app", "on"), ("app", "one2"), ("app2", "one"))] == [0, 0, 0]
        stat = runtime.stat("app", "one")
        assert stat
        assert (stat.scur, stat.qcur) == (2, 0)
    assert eventually(lambda: runtime.sessions("app", "one").count == 0)


def test_sessions_can_be_cut(haproxy: Haproxy, runtime: Runtime) -> None:
    with request(haproxy.port) as client:
        assert eventually(lambda: runtime.sessions("app", "one").count == 1)
        runtime.shutdown_sessions("app", "one")
        assert client.recv(4096)[:12] in (b"HTTP/1.1 502", b"HTTP/1.1 503", b"")
    assert eventually(lambda: runtime.sessions("app", "one").count == 0)


def test_a_server_that_is_added_and_deleted(haproxy: Haproxy, runtime: Runtime) -> None:
    runtime.add_server("app", "new", "127.0.0.4:8004", ["check", "inter", "100ms", "weight", "9"])
    row = runtime.server("app", "new")
    assert row
    assert (row.address, row.port, row.state, row.weight) == ("127.0.0.4", 8004, MAINT, 9)
    runtime.enable_health("app", "new")
    runtime.set_state("app", "new", READY)
    assert eventually(lambda: (s := runtime.stat("app", "new")) and s.status.startswith("DOWN"))
    runtime.set_state("app", "new", MAINT)
    runtime.del_server("app", "new")
    assert runtime.server("app", "new") is None


@pytest.mark.parametrize("address", ["[::1]:8004", "unix:/run/app.sock"])
def test_other_addresses_of_an_added_server(runtime: Runtime, address: str) -> None:
    runtime.add_server("app", "new", address)
    stat = runtime.stat("app", "new")
    assert stat
    assert stat.address == ("unix" if address.startswith("unix") else address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.0.0.1:99999", "localhost:80", "", "127.0.0.1:1 check", "127.0.0.1:1\nhelp"]
)
def test_an_added_server_needs_an_address(runtime: Runtime, address: str) -> None:
    with pytest.raises(UsageError):
        runtime.add_server("app", "new", address)
    assert runtime.seconds == 0


def test_a_server_in_use_is_not_deleted(haproxy: Haproxy, runtime: Runtime) -> None:
    port = runtime.servers("app")[0].port
    runtime.add_server("app", "new", f"127.0.0.4:{port}")
    with silent_other(port):
        for name in ("one", "one2"):
            runtime.set_state("app", name, MAINT)
        runtime.set_state("app", "new", READY)
        with request(haproxy.port):
            assert eventually(lambda: runtime.sessions("app", "new").count == 1)
            runtime.set_state("app", "new", MAINT)
            with pytest.raises(StillUsed) as caught:
                runtime.del_server("app", "new")
            assert caught.value.state == NOTHING_CHANGED
        assert eventually(lambda: runtime.sessions("app", "new").count == 0)
        runtime.del_server("app", "new")


def silent_other(port: int) -> socket.socket:
    """127.0.0.4 takes connections at that port too."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.4", port))
    sock.listen()
    return sock


@pytest.mark.parametrize(
    "keywords", [["check;", "help"], ["check help"], ["check\nhelp"], ["'"], [""], ["<<"], ["wei\\ght"], ["é"]]
)
def test_keywords_that_could_be_a_second_command(runtime: Runtime, keywords: list[str]) -> None:
    with pytest.raises(UsageError, match="cannot be a word"):
        runtime.add_server("app", "new", "127.0.0.1:1", keywords)
    assert runtime.seconds == 0


BAD_NAMES = ["", "a b", "a;b", "a\nb", "a\n", "a/b", "a\tb", "é", "a\0b", "#1", "a\\", "<<", '"a"']


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_could_be_a_second_command(runtime: Runtime, name: str) -> None:
    calls: list[Callable[[str, str], object]] = [
        runtime.stat,
        runtime.server,
        runtime.sessions,
        runtime.del_server,
        runtime.enable_health,
        runtime.enable_agent,
        runtime.shutdown_sessions,
        lambda b, s: runtime.set_state(b, s, DRAIN),
        lambda b, s: runtime.set_weight(b, s, 1),
        lambda b, s: runtime.set_address(b, s, Endpoint("127.0.0.1", 1)),
        lambda b, s: runtime.add_server(b, s, "127.0.0.1:1"),
    ]
    for call in calls:
        for backend, server in ((name, "one"), ("app", name)):
            with pytest.raises(UsageError, match="cannot be the name of a"):
                call(backend, server)
    if name:
        for read in (runtime.servers, runtime.servers_text):
            with pytest.raises(UsageError):
                read(name)
    assert runtime.seconds == 0


@pytest.mark.parametrize(
    "command", ["", " ", "show info; show stat", "show info\nshow stat", "show info\n", "x\\", "add map m <<", "é"]
)
def test_ask_takes_one_command(runtime: Runtime, command: str) -> None:
    with pytest.raises(UsageError, match="is not one command"):
        runtime.ask(command)
    assert runtime.seconds == 0


def test_ask_gives_the_reply(runtime: Runtime) -> None:
    assert runtime.ask("set server app/one weight 5") == "\n"
    assert runtime.ask("nonsense").startswith("Unknown command")


def test_a_state_that_is_none(runtime: Runtime) -> None:
    with pytest.raises(ValueError, match="broken"):
        runtime.set_state("app", "one", "broken")  # type: ignore[arg-type]


# no connection


def test_no_such_socket(tmp_path: Path) -> None:
    path = tmp_path / "none.sock"
    with pytest.raises(Unreachable) as caught:
        Runtime(Endpoint(path=str(path))).info()
    assert caught.value.what == f"{path}: there is no such socket (for `show info`)"
    assert f"add `stats socket {path} mode 600 level admin` to its global section" in caught.value.next_step
    assert caught.value.state == NOTHING_CHANGED


def test_nobody_listens(haproxy: Haproxy, runtime: Runtime) -> None:
    haproxy.stop()
    for other in (runtime, Runtime(Endpoint("127.0.0.1", haproxy.tcp))):
        with pytest.raises(Unreachable, match="nobody listens there") as caught:
            other.set_state("app", "one", DRAIN)
        assert "start HAProxy" in caught.value.next_step
        assert caught.value.state == NOTHING_CHANGED


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"cannot connect: .*too long"):
        Runtime(Endpoint(path=f"/tmp/{'x' * 120}")).info()


def test_an_unknown_host() -> None:
    with pytest.raises(Unreachable, match="cannot connect"):
        Runtime(Endpoint("no-such-host.invalid", 80)).info()


@pytest.fixture
def everyones() -> Iterator[Path]:
    """A folder that other users can enter, which pytest's own cannot."""
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.root
@pytest.mark.parametrize("user", ["", "nobody"])
def test_as_an_ordinary_user(everyones: Path, haproxy_binary: str, user: str) -> None:
    """HAProxy's own user may use its sockets; another ordinary user may not, and is told what to do."""
    shutil.chown(everyones, user or "root")
    made = Haproxy(everyones, haproxy_binary, user=user)
    try:
        made.start("-W", "-S", f"{everyones}/master.sock,mode,600")
        with as_nobody():
            if user:
                made.runtime().set_state("app", "one", DRAIN)
                row = made.master.current().server("app", "one")
                assert row
                assert row.state is DRAIN
                return
            calls: list[Callable[[], object]] = [made.runtime().info, made.master.processes]
            for call in calls:
                with pytest.raises(Unreachable, match=r"\.sock: this user may not connect to it") as caught:
                    call()
                assert "run it as a user who may" in caught.value.next_step
    finally:
        made.stop()


class as_nobody:
    """Our effective user is nobody until the end of the block."""

    def __enter__(self) -> None:
        os.setegid(65534)
        os.seteuid(65534)

    def __exit__(self, *_: object) -> None:
        os.seteuid(0)
        os.setegid(0)


# versions


def test_an_old_version_is_told_so(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runtime, "version", lambda self: (2, 4, 1))
    calls: list[Call] = [lambda r: r.add_server("app", "new", "127.0.0.1:1"), lambda r: r.del_server("app", "on")]
    for call in calls:
        with pytest.raises(Unsupported, match=r"HAProxy 2\.4\.1 has no dynamic servers .*; it needs 2\.6"):
            call(runtime)
    assert [row.server for row in runtime.servers("app")] == ["one", "one2", "on"]
