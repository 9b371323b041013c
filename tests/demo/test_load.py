"""The load client: each request has one outcome, nothing is sent twice, and no trouble of a server ends a thread."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from proxyswitch.demo.load import COLUMNS, MAX_ERRORS, Load, Summary
from proxyswitch.model import Endpoint
from proxyswitch.polling import until
from tests.load import servers
from tests.ports import free_port

from . import LONG, running

NONE = {"keepalive": 0, "closing": 0, "idle": 0, "long": 0}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Version: %s\r\n\r\nok"

# What a scripted server does with request number `n` (from 1) of one connection: the bytes of the answer, or None to
# close without any. After an answer that ends in CLOSE the connection is closed as well.
Script = Callable[[int], bytes | None]
CLOSE = b"<close>"


class Server(servers.Server):
    """One that counts requests over all connections."""

    def __init__(self, script: Script, *, reset: bool = False) -> None:
        self.script, self.reset, self.requests = script, reset, 0
        super().__init__(self._talk, None)

    def _talk(self, sock: socket.socket) -> None:
        number = 0
        while servers.read_head(sock):
            number, self.requests = number + 1, self.requests + 1
            answer = self.script(number)
            if answer is None and self.reset:
                servers.reset_at_close(sock)
            if answer is None or not _answer(sock, answer):
                return


def _answer(sock: socket.socket, answer: bytes) -> bool:
    """Send it; False when the connection is to be closed."""
    try:
        sock.sendall(answer.removesuffix(CLOSE))
    except OSError:
        return False
    return not answer.endswith(CLOSE)


@contextmanager
def serving(script: Script, *, reset: bool = False) -> Iterator[Server]:
    server = Server(script, reset=reset)
    try:
        yield server
    finally:
        server.close()


def wait(load: Load, enough: Callable[[Summary], bool]) -> None:
    """Until the load has seen enough."""
    assert until(lambda: enough(load.summary()) or None, LONG, longest=0.05), load.summary()


def only(address: Endpoint, timeout: float = LONG, **kinds: int) -> Load:
    return Load(address, timeout=timeout, long_seconds=0, **{**NONE, **kinds})


def consistent(summary: Summary) -> bool:
    """Every request has one outcome, however it is counted."""
    by_request = sum(n for kinds in summary.by_request.values() for n in kinds.values())
    failed = {k: n for k, n in summary.by_kind.items() if k not in ("ok", "reused")}
    return (
        summary.requests == sum(summary.by_kind.values()) == by_request
        and summary.failures == sum(failed.values())
        and len(summary.errors) == min(MAX_ERRORS, summary.failures)
        and sum(summary.by_version.values()) == summary.by_kind.get("ok", 0)
    )


def test_all_kinds_against_the_app() -> None:
    with running("1") as app, Load(app.address, uploads=1, long_seconds=0.1) as load:
        names = {"keep-alive", "new connection", "idle keep-alive", "long", "upload"}
        wait(load, lambda seen: seen.by_request.keys() == names and seen.requests > 100)
        seen = load.stop()
    assert (seen.failures, seen.errors) == (0, [])
    assert seen.by_version == {"1": seen.by_kind["ok"]}
    assert consistent(seen)
    assert not load.running


def test_the_app_is_killed_in_the_middle() -> None:
    with running("1") as app, Load(app.address, uploads=1, long_seconds=0.5) as load:
        wait(load, lambda seen: seen.requests > 50)
        app.process.kill()
        app.ends()
        wait(load, lambda seen: seen.failures > MAX_ERRORS and "long" in seen.by_request)
        seen = load.stop()
    assert seen.by_kind["refused"] > 0
    assert len(seen.errors) == MAX_ERRORS
    assert consistent(seen)


def test_a_connection_closed_after_its_answer_is_no_trouble() -> None:
    """The server closes each kept connection; the client sees that in time, or it counts as `reused`."""
    with serving(lambda n: OK % b"1" + CLOSE) as server, only(server.address, keepalive=2) as load:
        wait(load, lambda seen: seen.by_kind.get("ok", 0) > 10)
        seen = load.stop()
    assert seen.failures == 0
    assert seen.by_kind.keys() <= {"ok", "reused"}


@pytest.mark.parametrize("reset", [False, True])
def test_a_kept_connection_closed_under_the_request_is_reused(reset: bool) -> None:
    with (
        serving(lambda n: OK % b"1" if n == 1 else None, reset=reset) as server,
        only(server.address, keepalive=1) as load,
    ):
        wait(load, lambda seen: seen.reused_closed > 3)
        seen = load.stop()
    assert (seen.failures, seen.errors) == (0, [])
    assert seen.by_kind.keys() == {"ok", "reused"}
    assert seen.requests == server.requests, "none was sent twice"
    assert consistent(seen)


@pytest.mark.parametrize(
    ("script", "reset", "kind"),
    [
        (lambda n: None, False, "closed"),
        (lambda n: None, True, "reset"),
        (lambda n: b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n", False, "http 503"),
        (lambda n: (OK % b"1")[:-1] + CLOSE, False, "cut"),
        (lambda n: b"HTTP/1.1 2" + CLOSE, False, "cut"),
        (lambda n: b"SSH-2.0-hello\r\n" + CLOSE, False, "cut"),
    ],
)
@pytest.mark.parametrize("way", ["keepalive", "closing"])
def test_each_failure_has_its_name(script: Script, reset: bool, kind: str, way: str) -> None:
    with serving(script, reset=reset) as server, only(server.address, **{way: 1}) as load:
        wait(load, lambda seen: seen.failures > 3)
        seen = load.stop()
    assert seen.by_kind.keys() == {kind}
    assert seen.requests == server.requests
    assert consistent(seen)


def test_a_server_that_never_answers_is_a_timeout() -> None:
    with serving(lambda n: b"") as server, only(server.address, timeout=0.1, closing=1) as load:
        wait(load, lambda seen: seen.failures > 1)
        assert load.stop().by_kind.keys() == {"timeout"}


def test_an_answer_that_stops_halfway_is_a_timeout() -> None:
    with serving(lambda n: (OK % b"1")[:-1]) as server, only(server.address, timeout=0.1, keepalive=1) as load:
        wait(load, lambda seen: seen.failures > 1)
        assert load.stop().by_kind.keys() == {"timeout"}


def test_nobody_listens() -> None:
    with only(Endpoint("127.0.0.1", free_port()), closing=1) as load:
        wait(load, lambda seen: seen.failures > 3)
        seen = load.stop()
    assert seen.by_kind.keys() == {"refused"}
    assert "refused" in seen.errors[0]


def test_versions_are_counted_in_their_order() -> None:
    with serving(lambda n: OK % (b"1" if n <= 5 else b"2")) as server, only(server.address, keepalive=1) as load:
        wait(load, lambda seen: seen.by_version.get("2", 0) > 3)
        seen = load.stop()
    assert seen.by_version["1"] == 5
    assert seen.first_seen["1"] < seen.last_seen["1"] < seen.first_seen["2"] < seen.last_seen["2"]


def test_it_stops_by_itself() -> None:
    with serving(lambda n: OK % b"1") as server, Load(server.address, limit=0.2, long=0) as load:
        assert until(lambda: None if load.running else True, LONG)
        seen = load.stop()
    assert seen.failures == 0
    assert seen.by_kind["ok"] > 0


def test_an_idle_pause_does_not_hold_up_the_end() -> None:
    with serving(lambda n: OK % b"1") as server:
        load = only(server.address, idle=2)
        with load:
            wait(load, lambda seen: seen.requests == 2)
        assert not load.running
        assert load.stop() is load.stop()


def test_it_is_used_once() -> None:
    with serving(lambda n: OK % b"1") as server:
        load = only(server.address, closing=1)
        with load, pytest.raises(RuntimeError, match="started before"):
            load.start()


def test_a_unix_socket(tmp_path: object) -> None:
    path = f"{tmp_path}/app.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with only(Endpoint(path=path), closing=1) as load:
            sock, _ = listener.accept()
            with sock:
                assert servers.read_head(sock)
                sock.sendall(OK % b"1")
            wait(load, lambda seen: seen.by_version == {"1": 1})
            listener.close()
            load.stop()


def test_rows_for_a_table() -> None:
    kinds = {"keep-alive": {"ok": 8, "http 502": 1, "reused": 2}, "long": {"cut": 1}}
    seen = Summary(1, 12, 2, 2, {"ok": 8, "http 502": 1, "reused": 2, "cut": 1}, {"1": 8}, kinds, {}, {}, [])
    assert COLUMNS == ("requests", "sent", "ok", "failed", "reused")
    assert seen.rows() == [
        ("keep-alive", "11", "8", "1", "2"),
        ("long", "1", "0", "1", "0"),
        ("all", "12", "8", "2", "2"),
    ]
