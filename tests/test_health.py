"""Health checks against real sockets on the loopback: good servers, bad ones, and none."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from proxyswitch import health
from proxyswitch.errors import Failed, UsageError
from proxyswitch.health import Check, Died, NeverHealthy, TurnedUnhealthy, check_for, hold, parse_target, probe, wait
from proxyswitch.model import Endpoint, Slot
from proxyswitch.settings import Health, Seconds
from proxyswitch.system import clock, net

LONG = 60.0  # a time limit that no test reaches
HANG = 30.0  # far above what a working check needs, and below LONG

Handler = Callable[[socket.socket], None]


# --- servers


def http(body: str = "ok", status: int = 200, head: str = "") -> bytes:
    data = body.encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\n{head}\r\n".encode() + data


def read_request(conn: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = conn.recv(65536)
        if not more:
            break
        data += more
    return data


class Server:
    """Serves one connection after the other, each with the handler, and keeps what was asked."""

    def __init__(self, listener: socket.socket, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self.listener, self.handler, self.context = listener, handler, context
        self.asked: list[str] = []
        self.names: list[str | None] = []
        self.served = 0
        self.thread = threading.Thread(target=self.loop)

    @property
    def address(self) -> str:
        name = self.listener.getsockname()
        return f"unix://{name}" if isinstance(name, str) else str(Endpoint(name[0], name[1]))

    def loop(self) -> None:
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with conn, contextlib.suppress(OSError):
                conn.settimeout(LONG)
                self.serve(conn)

    def serve(self, conn: socket.socket) -> None:
        self.served += 1
        if self.context is None:
            self.handler(conn)
            return
        with self.context.wrap_socket(conn, server_side=True) as tls:
            self.handler(tls)


@contextlib.contextmanager
def serving(
    handler: Handler | bytes, listener: socket.socket | None = None, context: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """A server that answers each request with those bytes, or does what the handler does."""
    listener = listener or socket.create_server(("127.0.0.1", 0))
    server = Server(listener, handler if callable(handler) else lambda _: None, context)

    def answer(conn: socket.socket) -> None:
        server.asked.append(read_request(conn).decode("latin-1"))
        conn.sendall(handler if isinstance(handler, bytes) else b"")

    if isinstance(handler, bytes):
        server.handler = answer
    server.thread.start()
    try:
        yield server
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        server.thread.join(HANG)
        listener.close()
        assert not server.thread.is_alive()


def scripted(*statuses: int) -> Handler:
    """Answers with those statuses in turn, and with the last one for ever."""
    rest = list(statuses)

    def handler(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(http(status=rest.pop(0) if len(rest) > 1 else rest[0]))

    return handler


def trickle(data: bytes, at_once: bytes = b"") -> Handler:
    """Sends a healthy answer byte by byte: it takes some seconds, each read only a moment."""
    pause = threading.Event()

    def handler(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(at_once)
        for byte in data:
            conn.sendall(bytes([byte]))
            pause.wait(0.03)

    return handler


def until_closed(conn: socket.socket) -> None:
    """Never answers; ends when the client goes."""
    while conn.recv(65536):
        pass


def asked(answer: bytes, **kind: Any) -> health.Answer:
    with serving(answer) as server:
        return probe(Check(f"http://{server.address}/", timeout=LONG, **kind))


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that refuses connections; it is bound, so that nobody else takes it meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{sock.getsockname()[1]}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    names = "subjectAltName=DNS:app.example,IP:127.0.0.1"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    argv += ["-days", "2", "-subj", "/CN=app.example", "-addext", names, "-keyout", str(key), "-out", str(cert)]
    subprocess.run(argv, check=True, capture_output=True, timeout=LONG)
    return cert, key


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with serving(http(), context=context) as server:
        context.sni_callback = lambda _socket, name, _context: server.names.append(name)
        yield server


# --- one try: the connection


def test_healthy() -> None:
    answer = asked(http())
    assert (answer.healthy, answer.reason, answer.status) == (True, "status 200", 200)
    assert 0 <= answer.seconds < HANG


def test_a_real_http_server() -> None:
    class Quiet(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.wfile.write(http(json.dumps({"path": self.path})))

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            assert probe(Check(f"{url}/a?b=c#d", json={"path": "/a?b=c"}, timeout=LONG)).healthy
            assert probe(Check(f"{url}?b=c", json={"path": "/?b=c"}, timeout=LONG)).healthy
            assert probe(Check(f"{url}/ä", json={"path": "/%C3%A4"}, timeout=LONG)).healthy
            assert probe(Check(url, json={"path": "/"}, timeout=LONG)).healthy
        finally:
            server.shutdown()
            thread.join(HANG)
        assert not thread.is_alive()


@pytest.mark.parametrize("scheme", ["http", "https", "tcp"])
def test_refused(nobody: str, scheme: str) -> None:
    answer = probe(Check(f"{scheme}://{nobody}"))
    assert (answer.healthy, answer.reason, answer.status) == (False, "connection refused", None)


def test_tcp_only_connects() -> None:
    with serving(until_closed) as server:
        answer = probe(parse_target(server.address))
    assert (answer.healthy, answer.reason, answer.status) == (True, "it accepts connections", None)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_answer(scheme: str) -> None:
    with serving(until_closed) as server:
        answer = probe(Check(f"{scheme}://{server.address}/", timeout=0.2))
    assert not answer.healthy
    assert answer.reason == "no answer within 0.2 s"
    assert answer.seconds < HANG


def test_a_trickled_head_cannot_stretch_the_try() -> None:
    with serving(trickle(http(head=f"X-Long: {'x' * 200}\r\n"))) as server:
        answer = probe(Check(f"http://{server.address}/", timeout=0.3))
    assert (answer.healthy, answer.reason) == (False, "no answer within 0.3 s")


def test_a_trickled_body_cannot_stretch_the_try() -> None:
    head, _, body = http("x" * 250).partition(b"\r\n\r\n")
    with serving(trickle(body, head + b"\r\n\r\n")) as server:
        answer = probe(Check(f"http://{server.address}/", timeout=0.3))
    assert (answer.healthy, answer.reason) == (False, "the answer was not complete within 0.3 s")
    assert answer.status == 200


def test_endless_interim_answers_cannot_stretch_the_try() -> None:
    with serving(trickle(b"HTTP/1.1 100 Continue\r\n\r\n" * 8 + http())) as server:
        answer = probe(Check(f"http://{server.address}/", timeout=0.3))
    assert (answer.healthy, answer.reason) == (False, "no answer within 0.3 s")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "the connection was closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"),
        (b"\x00\xff" * 50 + b"\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "the answer was cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", "the answer was cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf", "the answer was cut off"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "the answer is not HTTP but TLS (is it https://?)"),
    ],
)
def test_bad_answers(sent: bytes, reason: str) -> None:
    answer = asked(sent)
    assert (answer.healthy, answer.reason) == (False, reason)


def test_a_reset_connection() -> None:
    def reset(conn: socket.socket) -> None:
        read_request(conn)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with serving(reset) as server:
        answer = probe(Check(f"http://{server.address}/", timeout=LONG))
    assert (answer.healthy, answer.reason) == (False, "the connection was reset")


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.0 200 OK\r\n\r\nok until the end",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + http(),
    ],
)
def test_unusual_but_good_answers(sent: bytes) -> None:
    assert asked(sent, body="ok").reason == "status 200"


def test_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    with serving(http(), listener) as server:
        assert probe(parse_target(f"unix://{path}:/health?x=1")).healthy
        assert probe(parse_target(f"unix://{path}")).healthy
        slot = Slot("blue", Endpoint(path=str(path)))
        assert probe(check_for(Health(url="http://{address}/up"), slot, "2.0")).healthy
        assert [line.split(" ")[1] for line in server.asked] == ["/health?x=1", "/", "/up"]
        assert "\r\nHost: localhost\r\n" in server.asked[0]
        assert probe(parse_target(f"unix:{path}")).reason == "it accepts connections"


def test_unix_socket_that_is_not_there(tmp_path: Path) -> None:
    answer = probe(parse_target(f"unix://{tmp_path}/no.sock"))
    assert (answer.healthy, answer.reason) == (False, f"there is no socket at {tmp_path}/no.sock")


def ipv6() -> socket.socket:
    try:
        return socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")


def test_ipv6() -> None:
    with serving(http(), ipv6()) as server:
        slot = Slot("blue", Endpoint.parse(server.address))
        assert server.address.startswith("[::1]:")
        assert probe(check_for(Health(url="http://{address}/"), slot, "1")).healthy
        assert f"\r\nHost: {server.address}\r\n" in server.asked[0]
        assert probe(parse_target(server.address)).healthy


def test_each_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "addresses", lambda _host: {"127.0.0.1", "::1"})
    with serving(http(), ipv6()) as server:
        url = f"http://app.internal:{server.listener.getsockname()[1]}/"
        assert probe(Check(url)).healthy


def test_an_unknown_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "addresses", lambda _host: set())
    answer = probe(Check("http://app.internal/"))
    assert (answer.healthy, answer.reason) == (False, "there is no address for the name 'app.internal'")


# --- one try: TLS


def test_https_is_verified(tls: Server) -> None:
    answer = probe(Check(f"https://{tls.address}/", timeout=LONG))
    assert not answer.healthy
    assert answer.reason.startswith("the certificate is not trusted: self")


def test_https_insecure(tls: Server) -> None:
    assert probe(Check(f"https://{tls.address}/", timeout=LONG, insecure=True)).healthy


def test_https_with_a_known_certificate(
    tls: Server, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    check = Check(f"https://{tls.address}/", timeout=LONG)
    assert probe(check).healthy
    assert probe(replace(check, host="app.example:8443")).healthy
    assert "\r\nHost: app.example:8443\r\n" in tls.asked[-1]
    assert tls.names == [None, "app.example"]
    assert "certificate is not valid for 'other.example'" in probe(replace(check, host="other.example")).reason


def test_a_tls_try_has_one_deadline(certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    slow = trickle(http(head=f"X-Long: {'x' * 200}\r\n"))
    with serving(slow, context=context) as server:
        answer = probe(Check(f"https://{server.address}/", timeout=0.5, insecure=True))
    assert (answer.healthy, answer.reason) == (False, "no answer within 0.5 s")


def test_https_to_a_plain_server() -> None:
    def complain(conn: socket.socket) -> None:
        conn.recv(65536)
        conn.sendall(http(status=400))

    with serving(complain) as server:
        answer = probe(Check(f"https://{server.address}/", timeout=LONG))
    assert (answer.healthy, answer.reason) == (False, "the server does not speak TLS (is it http://?)")


def test_https_closed_in_the_handshake() -> None:
    def leave(conn: socket.socket) -> None:
        conn.recv(65536)

    with serving(leave) as server:
        answer = probe(Check(f"https://{server.address}/", timeout=LONG))
    assert (answer.healthy, answer.reason) == (False, "the server closed the connection during the TLS handshake")


# --- one try: what is asked, and what must be answered


def test_what_is_sent() -> None:
    with serving(http()) as server:
        headers = {"X-Token": "grün", "user-agent": "me"}
        assert probe(Check(f"http://{server.address}/", headers=headers, host="www.example")).healthy
    lines = server.asked[0].encode("latin-1").decode().split("\r\n")
    assert lines[0] == "GET / HTTP/1.1"
    assert {"X-Token: grün", "user-agent: me", "Host: www.example", "Connection: close"} <= set(lines)
    assert len([line for line in lines if line.lower().startswith(("host:", "user-agent:"))]) == 2


@pytest.mark.parametrize(
    ("status", "wanted", "reason"),
    [
        (503, {200}, "status 503, expected 200"),
        (302, {200}, "status 302, expected 200"),
        (302, {301, 302}, "status 302"),
        (205, set(range(200, 300)), "status 205"),
        (404, {*range(200, 300), 304, 401}, "status 404, expected 200-299, 304, 401"),
    ],
)
def test_status(status: int, wanted: set[int], reason: str) -> None:
    answer = asked(http(status=status, head="Location: http://127.0.0.1:1/\r\n"), statuses=frozenset(wanted))
    assert (answer.reason, answer.status, answer.healthy) == (reason, status, status in wanted)


def test_a_wrong_status_does_not_wait_for_the_body() -> None:
    def handler(conn: socket.socket) -> None:
        conn.sendall(b"HTTP/1.1 503 X\r\nContent-Length: 9\r\n\r\n")
        until_closed(conn)

    with serving(handler) as server:
        answer = probe(Check(f"http://{server.address}/", timeout=LONG))
    assert answer.reason == "status 503, expected 200"
    assert answer.seconds < HANG


def test_body() -> None:
    assert asked(http("all ök here"), body="ök").healthy
    answer = asked(http("maintenance"), body="ok")
    assert (answer.healthy, answer.reason, answer.status) == (False, "the body does not contain 'ok'", 200)


def test_only_the_beginning_of_the_body_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxyswitch.health.verdict.BODY_LIMIT", 1000)
    long = "x" * 1000 + "ok"
    assert asked(http(long)).healthy
    assert asked(http(long), body="ok").reason == "the body does not contain 'ok' in its first 1 MiB"
    assert asked(http(long), json={"a": 1}).reason == "the answer is longer than 1 MiB"


@pytest.mark.parametrize(
    ("found", "expected", "reason"),
    [
        ({"version": "2.0", "more": 1}, {"version": "2.0"}, ""),
        ({"version": "1.0"}, {"version": "2.0"}, "field version is '1.0', expected '2.0'"),
        ({"version": "2.0.1"}, {"version": "2.0"}, "field version is '2.0.1', expected '2.0'"),
        ({"app": {"db": {"up": True}, "x": 1}}, {"app": {"db": {"up": True}}}, ""),
        ({"app": {"db": {"up": False}}}, {"app": {"db": {"up": True}}}, "field app.db.up is false, expected true"),
        ({"app": {}}, {"app": {"db": {"up": True}}}, "field app.db is missing"),
        ({"app": "fine"}, {"app": {"db": 1}}, "field app is 'fine', expected an object"),
        ({"a": 0}, {"version": "2"}, "field version is missing"),
        ({"version": None}, {"version": "2"}, "field version is null, expected '2'"),
        ({"build": 42}, {"build": "42"}, ""),
        ({"build": "42"}, {"build": 42}, "field build is '42', expected 42"),
        ({"up": True}, {"up": "true"}, ""),
        ({"up": 1}, {"up": True}, "field up is 1, expected true"),
        ({"up": True}, {"up": 1}, "field up is true, expected 1"),
        ({"rows": [1, {"a": 2, "b": 3}]}, {"rows": [1, {"a": 2}]}, ""),
        ({"rows": [1, 2]}, {"rows": [1]}, "field rows is [1, 2], expected [1]"),
        ({"rows": [True]}, {"rows": [1]}, "field rows is [true], expected [1]"),
        (["version"], {"version": "2"}, "the answer is not a JSON object"),
        ({"v": "x" * 500}, {"v": "y"}, f"field v is '{'x' * 78}…, expected 'y'"),
    ],
)
def test_json(found: object, expected: dict[str, Any], reason: str) -> None:
    answer = asked(http(json.dumps(found)), json=expected)
    assert (answer.reason, answer.healthy) == (reason or "status 200", not reason)


@pytest.mark.parametrize("body", ["", "<html>", "{", "[" * 100_000, "\x00"])
def test_not_json(body: str) -> None:
    assert asked(http(body), json={"a": 1}).reason == "the answer is not JSON"


# --- settings and words


BLUE = Slot("blue", Endpoint("127.0.0.1", 3001))


def test_check_for_fills_what_it_knows() -> None:
    settings = Health(
        url="http://{host}:{port}/{slot}?v={version}&x={other}",
        status="200-201",
        body="{address} {version} {}",
        json={"version": "{version}", "in": {"slot": "{slot}", "n": 1}, "list": ["{port}"]},
        headers={"X-Slot": "{slot}{{x}}"},
        host="{slot}.example",
        timeout=Seconds(5),
        insecure=True,
    )
    assert check_for(settings, BLUE, "{slot}1") == Check(
        url="http://127.0.0.1:3001/blue?v={slot}1&x={other}",
        statuses=frozenset({200, 201}),
        body="127.0.0.1:3001 {slot}1 {}",
        json={"version": "{slot}1", "in": {"slot": "blue", "n": 1}, "list": ["3001"]},
        headers={"X-Slot": "blue{{x}}"},
        host="blue.example",
        timeout=5.0,
        insecure=True,
    )


def test_defaults_are_the_settings_defaults() -> None:
    assert check_for(Health(), BLUE, "1") == Check("http://127.0.0.1:3001/")
    assert parse_target("http://127.0.0.1:3001/") == Check("http://127.0.0.1:3001/")


@pytest.mark.parametrize(
    ("url", "filled"),
    [
        ("http://{address}/health", "unix:///run/app.sock:/health"),
        ("http://{address}", "unix:///run/app.sock"),
        ("http://{address}?x=1", "unix:///run/app.sock:/?x=1"),
        ("tcp://{address}", "tcp://unix:/run/app.sock"),
        ("http://127.0.0.1:9/?at={address}", "http://127.0.0.1:9/?at=unix:/run/app.sock"),
    ],
)
def test_a_slot_on_a_unix_socket(url: str, filled: str) -> None:
    slot = Slot("blue", Endpoint.parse("unix:/run/app.sock"))
    assert check_for(Health(url=url), slot, "1").url == filled


@pytest.mark.parametrize(("url", "filled"), [("{address}", "[::1]:3001"), ("[{host}]:{port}", "[::1]:3001")])
def test_a_slot_on_ipv6(url: str, filled: str) -> None:
    settings = Health(url=f"http://{url}/", body="{host}")
    check = check_for(settings, Slot("blue", Endpoint.parse("[::1]:3001")), "1")
    assert (check.url, check.body) == (f"http://{filled}/", "::1")


@pytest.mark.parametrize(
    "settings",
    [
        Health(url="https://{address}/"),
        Health(url="http://{host}:{port}/"),
        Health(url="tcp://{address}", body="ok"),
        Health(headers={"X Y": "1"}),
        Health(headers={"X": "{version}"}),
        Health(host="a b"),
        Health(host=".example"),
        Health(url="http://{address}/{version}"),
    ],
)
def test_settings_that_cannot_be_asked(settings: Health) -> None:
    slot = Slot("blue", Endpoint.parse("unix:/run/app.sock"))
    with pytest.raises(UsageError):
        check_for(settings, slot, "1\r\nEvil: 1")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:3001/health", "http://127.0.0.1:3001/health"),
        ("https://app.example", "https://app.example"),
        ("HTTP://app.example", "HTTP://app.example"),
        ("tcp://[::1]:3001", "tcp://[::1]:3001"),
        ("unix:///run/app.sock:/up", "unix:///run/app.sock:/up"),
        ("127.0.0.1:3001", "tcp://127.0.0.1:3001"),
        ("[::1]:3001", "tcp://[::1]:3001"),
        ("unix:/run/x.sock", "tcp://unix:/run/x.sock"),
    ],
)
def test_parse_target(text: str, url: str) -> None:
    assert parse_target(text) == Check(url)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "host is missing"),
        ("3001", "did you mean 127.0.0.1:3001"),
        ("localhost", "port is missing"),
        ("127.0.0.1:99999", "out of range"),
        ("ftp://x", "must begin with"),
        ("http://", "host is missing"),
        ("http://a b/", "spaces"),
        ("http://h/\n", "control characters"),
        ("http://me:secret@h/", "user name"),
        ("http://unix:/run/app.sock/path", "unix:///run/app.sock:/path"),
        ("tcp://127.0.0.1", "port is missing"),
        ("tcp://127.0.0.1:1/path", "no port number"),
        ("unix://run/app.sock", "absolute path"),
        ("unix:///run/app.sock:", "absolute path"),
        ("unix:/run/app.sock:/up", "unix:///run/app.sock:/up"),
        (f"http://{'a' * 64}.example/", "no host name"),
        ("http://a..b/", "no host name"),
    ],
)
def test_bad_targets(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=r"cannot check") as caught:
        parse_target(text)
    assert why in caught.value.what
    assert "http://127.0.0.1:3001/health" in caught.value.next_step


# --- wait


def quick(server: Server) -> Check:
    return Check(f"http://{server.address}/", timeout=LONG)


def dying(after: int, obituary: str = "exit status 3") -> Callable[[], str | None]:
    """Lives for so many questions."""
    left = [None] * after
    return lambda: left.pop() if left else obituary


def test_wait_returns_the_healthy_answer() -> None:
    with serving(scripted(503, 503, 200)) as server:
        answer = wait(quick(server), total=LONG, interval=0.01, successes=1)
    assert (answer.healthy, answer.status, server.served) == (True, 200, 3)


def test_successes_must_be_consecutive() -> None:
    with serving(scripted(200, 200, 503, 200, 200, 200, 503)) as server:
        wait(quick(server), total=LONG, interval=0.01, successes=3)
    assert server.served == 6


def test_wait_until_it_listens(tmp_path: Path) -> None:
    """The usual case: nothing listens yet when we begin."""
    asked: list[None] = []
    listener = socket.socket(socket.AF_UNIX)
    with contextlib.ExitStack() as stack:
        stack.callback(listener.close)

        def alive() -> str | None:
            asked.append(None)
            if len(asked) == 4:
                listener.bind(f"{tmp_path}/app.sock")
                listener.listen()
                stack.enter_context(serving(http(), listener))
            return None

        check = replace(parse_target(f"unix://{tmp_path}/app.sock"), timeout=LONG)
        assert wait(check, total=LONG, interval=0.01, successes=2, alive=alive).healthy
    assert len(asked) >= 4


def test_never_healthy(nobody: str) -> None:
    with pytest.raises(NeverHealthy) as caught:
        wait(Check(f"http://{nobody}/"), total=0.3, interval=0.01, successes=1)
    what = caught.value.what
    assert isinstance(caught.value, Failed)
    assert f"http://{nobody}/ was not healthy within 0.3 s (" in what
    assert what.endswith(" tries): connection refused")
    assert int(what.partition("(")[2].split()[0]) > 1


def test_never_healthy_often_enough() -> None:
    with serving(http()) as server, pytest.raises(NeverHealthy, match=r"healthy [0-9]+ of 1000000 times in a row"):
        wait(quick(server), total=0.2, interval=0.01, successes=1_000_000)


def test_the_total_ends_a_try() -> None:
    begun = clock.now()
    with serving(until_closed) as server, pytest.raises(NeverHealthy, match=r"\(1 try\): no answer within"):
        wait(quick(server), total=0.3, interval=0.01, successes=1)
    assert clock.now() - begun < HANG


def test_a_try_cut_short_by_the_total_does_not_hide_the_reason() -> None:
    served: list[None] = []

    def handler(conn: socket.socket) -> None:
        served.append(None)
        read_request(conn)
        if len(served) > 2:
            until_closed(conn)
        conn.sendall(http(status=500 + len(served)))

    with serving(handler) as server, pytest.raises(NeverHealthy, match=r"\(3 tries\): status 502, expected 200"):
        wait(quick(server), total=1, interval=0.01, successes=1)


def test_a_dead_instance_is_not_waited_for(nobody: str) -> None:
    begun = clock.now()
    with pytest.raises(Died) as caught:
        wait(Check(f"http://{nobody}/"), total=LONG, interval=LONG, successes=1, alive=dying(3, "status 3\nlog: boom"))
    assert clock.now() - begun < HANG
    assert "status 3\nlog: boom" in caught.value.what
    assert nobody in caught.value.what


def test_a_dead_instance_is_not_even_tried() -> None:
    with serving(http()) as server, pytest.raises(Died):
        wait(quick(server), total=LONG, interval=0.01, successes=1, alive=dying(0))
    assert server.served == 0


def test_an_answer_in_place_of_the_dead_does_not_count() -> None:
    with serving(http()) as server, pytest.raises(Died):
        wait(quick(server), total=LONG, interval=0.01, successes=1, alive=dying(1))
    assert server.served == 1


def test_wait_reports_now_and_then(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check, lines = Check(f"http://{nobody}/"), list[str]()
    with pytest.raises(NeverHealthy):
        wait(check, total=0.2, interval=0.01, successes=1, report=lines.append)
    assert lines == []
    monkeypatch.setattr("proxyswitch.health.waiting.REPORT_EVERY", 0.1)
    with pytest.raises(NeverHealthy) as caught:
        wait(check, total=0.5, interval=0.01, successes=1, report=lines.append)
    tries = int(caught.value.what.partition("(")[2].split()[0])
    assert 1 <= len(lines) <= 5
    assert len(lines) < tries
    assert all(nobody in line and "connection refused" in line for line in lines)


# --- hold


def test_hold_a_healthy_one() -> None:
    begun = clock.now()
    with serving(http()) as server:
        answer = hold(quick(server), 0.3, 0.01)
    assert answer.healthy
    assert clock.now() - begun >= 0.3
    assert server.served > 1


def test_hold_forgives_one_bad_answer() -> None:
    with serving(scripted(503, 200, 503, 200, 503, 200)) as server:
        assert hold(quick(server), 0.5, 0.01).healthy
    assert server.served >= 4


def test_hold_raises_after_two() -> None:
    with serving(scripted(200, 503, 200, 503, 503, 200)) as server, pytest.raises(TurnedUnhealthy) as caught:
        hold(quick(server), LONG, 0.01)
    assert server.served == 5
    assert "status 503, expected 200" in caught.value.what


def test_hold_does_not_end_with_a_bad_answer() -> None:
    with serving(scripted(503)) as server, pytest.raises(TurnedUnhealthy):
        hold(quick(server), 0, 0.01)
    with serving(scripted(503, 200)) as server:
        assert hold(quick(server), 0, 0.01).healthy


def test_hold_a_dying_one() -> None:
    begun = clock.now()
    with serving(http()) as server, pytest.raises(Died, match="exit status 3"):
        hold(quick(server), LONG, LONG, dying(3))
    assert clock.now() - begun < HANG


def test_hold_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxyswitch.health.waiting.REPORT_EVERY", 0)
    lines: list[str] = []
    with serving(scripted(503, 200)) as server:
        hold(quick(server), 0.1, 0.01, report=lines.append)
    assert "status 503, expected 200" in lines[0]
    assert "status 200" in lines[1]


# --- the module


def test_the_import_is_light() -> None:
    heavy = ["http.client", "ssl", "json", "msgspec", "urllib.parse"]
    code = f"import sys, proxyswitch.health; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=LONG)
    assert done.stdout.strip() == "[]"
