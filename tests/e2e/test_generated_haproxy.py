"""What `generate haproxy` makes runs as it is, as an ordinary user's own HAProxy: under load, over TLS, with an ill app."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import ssl
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest

from proxyswitch.demo.load import Load
from proxyswitch.errors import UsageError
from proxyswitch.model import Endpoint
from tests.e2e import test_user
from tests.e2e.clients import UPGRADE, Raw, echo_server
from tests.e2e.haproxy_pairs import done, lasts, states, versions
from tests.e2e.haproxy_support import CONF, HaproxyBench, haproxy_bench
from tests.e2e.support import LIMIT, eventually
from tests.e2e.test_user import USER, readable_python
from tests.generate.support import generate
from tests.load.servers import read_head, serving
from tests.load.tls import certificate, client_context
from tests.ports import free_port

pytestmark = pytest.mark.root
copied = test_user.code  # a fixture

POOL = "shop_backend"


@pytest.fixture
def own(copied: Path, haproxy_binary: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[HaproxyBench]:
    """A folder of an ordinary user's."""
    folder = Path(tempfile.mkdtemp(prefix="proxyswitch-user-"))
    monkeypatch.setenv("PROXYSWITCH_STATE", str(folder / "state"))
    try:
        with haproxy_bench(folder, USER, readable_python(USER), str(copied)) as place:
            yield place
    finally:
        shutil.rmtree(folder)


def made(place: HaproxyBench, blue: object, green: object, *more: str) -> HaproxyBench:
    """The config for these two, tested and written by generate; HAProxy runs."""
    place.state_file.write_text("1\n")
    words = (
        f"haproxy --name shop --blue {blue} --green {green} --private --socket {place.admin} --state-file {place.state_file}"
    )
    ports = f"--bind 127.0.0.1 --port {place.port} --interval 100ms --slowstart 2s"
    generate(f"{words} {ports} --write --output {place.conf} -q", *(more or ("--stats-port", "0")))
    place.own()
    place.start()
    return place


def two(place: HaproxyBench, *more: str) -> HaproxyBench:
    """With the sample app in version 1 and 2."""
    ends = [f"127.0.0.1:{place.instance(version)}" for version in ("1", "2")]
    return made(place, *ends, *more)


def test_ten_switches_and_three_reloads_lose_no_request(own: HaproxyBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxyswitch.demo.load.CHUNK_PAUSE", 0.05)
    place = two(own)
    kinds = {"keepalive": 2, "closing": 1, "idle": 2, "long": 2, "uploads": 1}
    with Load(Endpoint("127.0.0.1", place.port), **kinds, long_seconds=0.6) as load:
        assert eventually(lambda: load.summary().by_request.get("long", {}).get("ok"))
        for number in range(10):
            target = ("green", "blue")[number % 2]
            done(place.run("switch", POOL, target, "--drain", "30s"))
            assert states(place, POOL)[target] == "ready"
            if number % 4 == 0:
                place.reload()
                assert states(place, POOL)[target] == "ready"
    seen = load.stop()
    assert (seen.failures, seen.reused_closed) == (0, 0), (seen.by_request, seen.errors)
    assert set(seen.by_version) == {"1", "2"}
    lasts(place, POOL)


def test_a_reload_answers_a_kept_alive_client_once_more(own: HaproxyBench) -> None:
    place = two(own)
    with closing(http.client.HTTPConnection("127.0.0.1", place.port, timeout=LIMIT)) as client:
        assert asked(client) == (200, None)
        place.reload()
        assert asked(client) == (200, "close")
    assert eventually(lambda: len(place.workers_now) == 1)


def asked(client: http.client.HTTPConnection) -> tuple[int, str | None]:
    """The status of an answer, and what it says of the connection, which is not opened anew."""
    if client.sock is None:
        client.connect()
        client.auto_open = 0
    client.request("GET", "/")
    response = client.getresponse()
    response.read()
    return response.status, response.headers["Connection"]


def test_after_an_edit_by_hand_reconcile_makes_the_state_file_agree(own: HaproxyBench) -> None:
    """As a comment in the config says: the state file counts more than a port that somebody changes."""
    place = two(own)
    place.save_state()
    third = place.instance("3")
    place.conf.write_text(re.sub(r"(server blue 127\.0\.0\.1:)\d+", rf"\g<1>{third}", place.conf.read_text()))
    place.reload()
    assert versions(place) == {"1"}
    done(place.run("reconcile", POOL, "--by", "file"))
    assert versions(place) == {"3"}
    place.reload()
    assert versions(place) == {"3"}


def test_it_is_shown_drained_closed_and_opened(own: HaproxyBench) -> None:
    place = two(own)
    assert stat.S_IMODE(place.admin.stat().st_mode) == 0o600
    pool = next(pool for pool in place.run("show", "--json").json["pools"] if pool["name"] == POOL)
    assert [(server["name"], server["state"], server["differs"]) for server in pool["servers"]] == [
        ("blue", "ready", []),
        ("green", "maint", []),
    ]
    done(place.run("set", f"{POOL}/green", "ready"))
    assert eventually(lambda: versions(place) == {"1", "2"})
    done(place.run("set", f"{POOL}/blue", "drain"))  # green warms up as yet, and serves
    assert versions(place) == {"2"}
    done(place.run("maintenance", POOL, "on"))
    assert answer(place.port).status == 503
    done(place.run("maintenance", POOL, "off"))
    assert versions(place) == {"2"}


def test_what_is_generated_again_after_a_switch_is_seen_as_edited(own: HaproxyBench) -> None:
    """The file is the truth after a switch: it is not written over."""
    place = two(own)
    done(place.run("switch", POOL, "green"))
    before = place.conf.read_bytes()
    with pytest.raises(UsageError, match="was edited since it was made"):
        generate(f"haproxy --name shop --blue 127.0.0.1:1 --green 127.0.0.1:2 --write --output {place.conf}")
    assert place.conf.read_bytes() == before


def test_a_version_that_becomes_ill_is_taken_out(own: HaproxyBench) -> None:
    """By the status of its health check: it still accepts connections."""
    ill, well = own.instance("1", APP_BROKEN="never-healthy"), own.instance("2")
    place = made(own, f"127.0.0.1:{ill}", f"127.0.0.1:{well}")
    assert eventually(lambda: health(place, "blue") == "DOWN")
    assert answer(place.port).status == 503
    done(place.run("switch", POOL, "green"))
    assert (versions(place), health(place, "green")) == ({"2"}, "UP")


def health(place: HaproxyBench, server: str) -> str:
    """What `show stat` says of it, without how far a change has got."""
    header, *rows = place.ask("show stat").strip().splitlines()
    names = header.removeprefix("# ").split(",")
    found = [dict(zip(names, row.split(","), strict=False)) for row in rows]
    return next(row["status"] for row in found if (row["pxname"], row["svname"]) == (POOL, server)).split()[0]


class Answer(NamedTuple):
    status: int
    headers: Message
    body: str


def answer(port: int, path: str = "/", method: str = "GET", **headers: str) -> Answer:
    return _answer(http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT), path, method, headers)


def _answer(client: http.client.HTTPConnection, path: str, method: str, headers: dict[str, str]) -> Answer:
    with closing(client):
        client.request(method, path, headers={key.replace("_", "-"): value for key, value in headers.items()})
        response = client.getresponse()
        return Answer(response.status, response.headers, response.read().decode())


def test_a_get_whose_connection_the_app_closed_is_sent_again_and_a_post_is_not(own: HaproxyBench) -> None:
    """The app closes each second connection after it has read the request, as a process does that dies."""
    seen: list[bytes] = []

    def handle(sock: socket.socket) -> None:
        head = read_head(sock)
        if b"/health" not in head:
            seen.append(head.split(b" ")[0])
            if len(seen) % 2:
                return
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    with serving(handle) as app:
        place = made(own, app.address, f"127.0.0.1:{free_port()}")
        assert (answer(place.port).status, seen) == (200, [b"GET", b"GET"])
        assert (answer(place.port, method="POST").status, seen) == (502, [b"GET", b"GET", b"POST"])


def test_the_page_of_statistics_is_to_read_only(own: HaproxyBench) -> None:
    port = free_port()
    two(own, "--stats-port", str(port))
    page = answer(port)
    assert (page.status, POOL in page.body) == (200, True)
    assert answer(port, "/;csv").body.startswith("# pxname")
    assert 'type="checkbox"' not in page.body


def test_the_log_names_backend_and_server(own: HaproxyBench) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(LIMIT)
        place = two(own, "--stats-port", "0", "--log", f"127.0.0.1:{syslog.getsockname()[1]}")
        assert answer(place.port).status == 200
        lines = iter(lambda: syslog.recv(4096).decode(), "")
        assert " shop_http shop_backend/blue " in next(line for line in lines if "GET /" in line)


def test_the_backend_alone_in_a_config_that_exists(own: HaproxyBench) -> None:
    place = own
    place.write(place.instance("1"), CONF.replace("app_backend", POOL), pools="", green=place.instance("2"))
    alone = place.folder / "conf.d" / "shop.cfg"
    alone.parent.mkdir()
    ends = f"--blue 127.0.0.1:{place.blue} --green 127.0.0.1:{place.green}"
    generate(f"haproxy-backend --name shop {ends} --write --output {alone} -q")
    place.more.append("conf.d/shop.cfg")
    place.own()
    place.start()
    done(
        place.run("switch", POOL, "green", "--drain", "30s", "--haproxy-conf", str(place.conf), "--haproxy-conf", str(alone))
    )
    assert versions(place) == {"2"}
    assert f"server blue 127.0.0.1:{place.blue} disabled\n" in alone.read_text()


def test_a_websocket_passes(own: HaproxyBench) -> None:
    with echo_server() as port:
        place = made(own, f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}", "--stats-port", "0", "--health-status", "101-599")
        client = Raw(place.port)
        client.send(UPGRADE)
        assert " 101 " in client.head()[0]
        assert client.echo("here") == "here"
        client.close()


# headers


def showing(sock: socket.socket) -> None:
    """An app that answers with the request that it got."""
    head = read_head(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(head), head))


def got(answer: Answer) -> list[str]:
    """The forwarded headers that the app got."""
    return sorted(line.lower() for line in answer.body.splitlines() if line.lower().startswith("x-forwarded"))


def test_what_a_client_says_of_itself_is_not_believed(own: HaproxyBench) -> None:
    with serving(showing) as app:
        place = made(own, app.address, f"127.0.0.1:{free_port()}")
        lies = {"X_Forwarded_For": "192.0.2.1", "X_Forwarded_Proto": "https"}
        assert got(answer(place.port, **lies)) == ["x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http"]


@pytest.mark.parametrize(("network", "believed"), [("127.0.0.0/8", True), ("10.0.0.0/8", False)])
def test_a_proxy_in_front_is_believed(own: HaproxyBench, network: str, believed: bool) -> None:
    """Of what it says, the last address, which it has seen itself."""
    with serving(showing) as app:
        place = made(own, app.address, f"127.0.0.1:{free_port()}", "--stats-port", "0", "--trust", network)
        said = {"X_Forwarded_For": "203.0.113.9, 192.0.2.1", "X_Forwarded_Proto": "https"}
        address, scheme = ("192.0.2.1", "https") if believed else ("127.0.0.1", "http")
        assert got(answer(place.port, **said)) == [f"x-forwarded-for: {address}", f"x-forwarded-proto: {scheme}"]


# TLS


@pytest.fixture
def tls(own: HaproxyBench) -> Iterator[tuple[HaproxyBench, int]]:
    """With TLS, HSTS and the page of statistics; the app shows what it gets."""
    cert, key = certificate(own.folder)
    pem = own.folder / "shop.pem"
    pem.write_bytes(cert.read_bytes() + key.read_bytes())
    port = free_port()
    with serving(showing) as app:
        more = ("--cert", str(pem), "--tls-port", str(port), "--hsts", "--stats-port", "0")
        yield made(own, app.address, f"127.0.0.1:{free_port()}", *more), port


@contextmanager
def secure(port: int, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", port), LIMIT) as plain,
        context.wrap_socket(plain, server_hostname="app.example") as sock,
    ):
        yield sock


def test_tls_from_1_2_on_with_http_2(tls: tuple[HaproxyBench, int]) -> None:
    _, port = tls
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = client_context("h2", "http/1.1")
        context.minimum_version = context.maximum_version = version
        with secure(port, context) as sock:
            assert (sock.version(), sock.selected_alpn_protocol()) == (version.name.replace("_", "."), "h2")


def test_older_tls_is_refused(tls: tuple[HaproxyBench, int]) -> None:
    context = client_context("http/1.1")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="alert protocol version"), secure(tls[1], context):
        pass


def test_http_leads_to_https_which_says_so(tls: tuple[HaproxyBench, int]) -> None:
    place, port = tls
    plain = answer(place.port, "/a?b=1", Host=f"shop.example:{place.port}")
    assert (plain.status, plain.headers["Location"]) == (308, f"https://shop.example:{port}/a?b=1")
    assert "Strict-Transport-Security" not in plain.headers
    client = http.client.HTTPSConnection("127.0.0.1", port, timeout=LIMIT, context=client_context("http/1.1"))
    response = _answer(client, "/", "GET", {})
    assert response.headers["Strict-Transport-Security"] == "max-age=63072000"
    assert got(response) == ["x-forwarded-for: 127.0.0.1", "x-forwarded-proto: https"]
