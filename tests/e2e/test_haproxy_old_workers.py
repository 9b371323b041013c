"""Old workers of HAProxy: after a reload, whoever's it was, they have sessions that the admin socket does not show."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyswitch.proxies import haproxy_process
from proxyswitch.system import proc, signals
from tests.e2e.clients import echo_server
from tests.e2e.haproxy_holders import aged, counted, held, slow
from tests.e2e.haproxy_pairs import done, pair, states
from tests.e2e.haproxy_support import CONF, POOLS, HaproxyBench
from tests.e2e.support import LIMIT, eventually
from tests.ports import free_port

pytest_plugins = ["tests.e2e.haproxy_fixtures"]

SWITCH = ("switch", "app_backend", "app-green", "--drain")
IDLE = CONF.replace("frontend www\n", "frontend www\n    option idle-close-on-response\n")


@pytest.fixture(params=["master socket", "no master socket", "one process"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def echo(ha_place: HaproxyBench, kind: str) -> Iterator[HaproxyBench]:
    """app-blue upgrades connections; app-green is an app of version 2."""
    with echo_server() as port:
        ha_place.write(port, green=ha_place.instance("2"))
        launch(ha_place, kind)
        yield ha_place


def launch(place: HaproxyBench, kind: str) -> None:
    """Start it, with or without a master, and a socket of that."""
    place.start(master=kind != "one process")
    if kind == "no master socket":
        place.end()
        at = place.command_line.index("-S")
        del place.command_line[at : at + 2]
        assert eventually(place.launched), place.said
        assert eventually(lambda: place.answering() in place.workers_now and listens(place.master.pid))


def listens(pid: int) -> bool:
    """True when that master catches the signal for a reload: just after its start it does not yet."""
    fields = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    bit = 1 << (signal.SIGUSR2 - 1)
    return bool(int(fields["SigCgt"], 16) & bit and not int(fields["SigBlk"], 16) & bit)


def still_accepting(pids: set[int]) -> bool:
    """True while one of these workers takes connections, on the admin socket too: either may answer there until then."""
    return any(haproxy_process.accepts(process) for process in map(proc.identify, pids) if process)


def reload(place: HaproxyBench) -> set[int]:
    """A reload by somebody else; the pids of the workers that were there before."""
    before = place.workers_now
    if "-W" in place.command_line and "-S" not in place.command_line:
        signals.send(place.master, signal.SIGUSR2)
        assert eventually(lambda: place.answering() not in {0, *before} and not still_accepting(before))
    else:
        place.reload()
    return before


def said(kind: str, pids: set[int]) -> str:
    """What a drain says of a websocket in an old worker."""
    (pid,) = pids
    if kind == "master socket":
        return "1 session on app_backend/app-blue"
    return f"old workers (pid {pid}), which only a master socket could tell of"


def test_a_reload_in_the_midst_of_a_drain(echo: HaproxyBench, kind: str) -> None:
    with held(echo) as client:
        command = echo.spawn(*SWITCH, "60s")
        assert eventually(lambda: states(echo)["app-blue"] == "drain" and not echo.journals)
        old = reload(echo)
        assert counted(echo) == (0, 0)  # the new worker knows nothing of it
        again = echo.run(*SWITCH, "300ms")  # a second one, begun after the reload
        assert (again.code, said(kind, old) in again.err) == (5, True), again.err
        assert command.poll() is None
        assert client.echo("not cut") == "not cut"
    _, err = command.communicate(timeout=LIMIT)
    assert command.returncode == 0, err
    done(echo.run(*SWITCH, "30s"))


def test_a_reload_before_a_drain(echo: HaproxyBench, kind: str) -> None:
    with held(echo) as client:
        old = reload(echo)
        first = echo.run(*SWITCH, "300ms")
        assert (first.code, said(kind, old) in first.err) == (5, True), first.err
        assert client.echo("not cut") == "not cut"
        command = echo.spawn(*SWITCH, "60s")
        assert command.poll() is None
    _, err = command.communicate(timeout=LIMIT)
    assert command.returncode == 0, err
    assert eventually(lambda: not echo.workers_now & old)


@pytest.mark.parametrize("kind", ["master socket"])
def test_several_old_workers_are_summed_and_their_sessions_have_an_age(echo: HaproxyBench) -> None:
    with held(echo):
        assert eventually(lambda: aged(echo))
        reload(echo)
        with held(echo):
            reload(echo)
            with held(echo):
                result = echo.run(*SWITCH, "300ms")
                assert len(echo.workers_now) == 3
    assert result.code == 5
    assert "3 sessions on app_backend/app-blue (the oldest for " in result.err


@pytest.mark.parametrize("kind", ["master socket"])
def test_force_close_cuts_in_old_workers_too(echo: HaproxyBench) -> None:
    with held(echo) as one:
        reload(echo)
        with held(echo) as other:
            assert echo.run(*SWITCH, "300ms", "--force-close").code == 0
            assert [c.lines.readline() for c in (one, other)] == [b"", b""]


OTHERS = """
frontend others
    bind 127.0.0.1:{door}
    default_backend other_backend

backend other_backend
    server app-blue 127.0.0.1:{echo}
"""


def test_an_old_worker_that_only_others_hold_is_not_waited_for(ha_place: HaproxyBench) -> None:
    with echo_server() as port:
        door = free_port()
        place = pair(ha_place, pools=POOLS + OTHERS, echo=port, door=door)
        with held(place, "other_backend", port=door) as client:
            old = reload(place)
            done(place.run(*SWITCH, "20s"))
            assert old <= place.workers_now
            assert client.echo("not cut") == "not cut"


@contextlib.contextmanager
def begun(place: HaproxyBench) -> Iterator[socket.socket]:
    """A connection over which the head of a request has come in half."""
    with socket.create_connection(("127.0.0.1", place.port), LIMIT) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: t")
        yield client


def finished(client: socket.socket) -> str:
    """Send the rest; the answer's head."""
    client.sendall(b"est\r\n\r\n")
    return client.recv(65536).decode()


@pytest.mark.parametrize("mode", ["runtime", "reload"])
@pytest.mark.parametrize("target", ["app-green", "127.0.0.1:{green}"])
def test_a_client_that_an_old_worker_may_still_send_there_is_waited_for(
    ha_place: HaproxyBench, mode: str, target: str
) -> None:
    """Idle, or in the midst of a head: no session yet, but the old worker will give its request to the old server."""
    pools = POOLS if target == "app-green" else POOLS.partition("    server app-green")[0]
    place = pair(ha_place, conf=IDLE, pools=pools)
    idle = http.client.HTTPConnection("127.0.0.1", place.port, timeout=LIMIT)
    idle.request("GET", "/")
    assert idle.getresponse().read() == b"hello from version 1 (no slot)\n"
    words = ("switch", "app_backend", place.filled(target), "--mode", mode, "--drain")
    with contextlib.closing(idle), begun(place) as partial:
        (old,) = place.workers_now
        if mode == "runtime":
            reload(place)
        result = place.run(*words, "500ms")
        assert f"2 clients of an old worker (pid {old}), which may send their next request to " in result.err
        assert (result.code, place.version()) == (5, "2")
        command = place.spawn(*words, "60s") if target == "app-green" else None
        assert "x-version: 1" in finished(partial)
        idle.request("GET", "/")
        assert idle.getresponse().read() == b"hello from version 1 (no slot)\n"
    if command:
        _, err = command.communicate(timeout=LIMIT)
        assert command.returncode == 0, err


def test_long_requests_before_a_reload_mode_switch_are_waited_for(ha_place: HaproxyBench) -> None:
    place = pair(ha_place)
    fetch = slow(place, 2)
    old = place.workers_now
    done(place.run(*SWITCH, "30s", "--mode", "reload"))
    assert fetch.result() == "1"
    assert place.version() == "2"
    assert eventually(lambda: not old & place.workers_now)
