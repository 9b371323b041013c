"""The whole load: against the app alone, and through a real nginx with TLS and HTTP/2 whose app is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxyswitch.model import Endpoint
from proxyswitch.system import net
from tests.e2e import support
from tests.e2e.support import Bench, bench, eventually
from tests.load import APP
from tests.load.mixed import Mixed
from tests.load.records import Answered
from tests.load.tls import certificate
from tests.ports import free_port

TLS = """\
        listen 127.0.0.1:TLS ssl http2;
        ssl_certificate FOLDER/cert.pem;
        ssl_certificate_key FOLDER/key.pem;
        location / {{
"""
CONF = support.CONF.replace("        location / {{\n", TLS)
KINDS = {"busy", "close", "idle", "long", "upload"}


@contextmanager
def app(version: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The app of the load, on a port of its own."""
    port = free_port()
    env = {**os.environ, "PORT": str(port), "APP_VERSION": version}
    with subprocess.Popen([sys.executable, str(APP)], env=env, stdout=subprocess.DEVNULL) as child:
        try:
            assert eventually(lambda: net.is_listening(Endpoint("127.0.0.1", port)))
            yield port, child
        finally:
            child.kill()


@contextmanager
def proxied(folder: Path, port: int) -> Iterator[tuple[Bench, Endpoint]]:
    """nginx before that port: the bench, and its address for TLS."""
    certificate(folder)
    with bench(folder) as place:
        tls = free_port()
        place.write(port, conf=CONF.replace("FOLDER", str(folder)).replace("TLS", str(tls)))
        place.start()
        yield place, Endpoint("127.0.0.1", tls)


def test_against_the_app_alone() -> None:
    with app("1") as (port, _), Mixed(Endpoint("127.0.0.1", port), long_seconds=0.2) as load:
        names = {f"http {name}" for name in {*KINDS, "websocket"}}
        assert eventually(lambda: {answered.name for answered in load.records.counts} == names)
        assert load.running
    assert sum(load.records.failures.values()) == 0, load.records.errors
    assert {answered.version for answered in load.records.counts} == {"1"}


def test_all_protocols_through_nginx_until_the_app_is_killed(tmp_path: Path, nginx_binary: str) -> None:
    with app("1") as (port, child), proxied(tmp_path, port) as (place, tls):
        plain = Endpoint("127.0.0.1", place.port)
        with Mixed(plain, tls, long_seconds=1.0) as load:
            names = {f"{way} {name}" for way in ("http", "https", "h2") for name in KINDS}
            names |= {"http websocket", "https websocket"}
            assert eventually(lambda: {answered.name for answered in load.records.counts} == names)
            assert sum(load.records.failures.values()) == 0, load.records.errors
            child.kill()
            records = load.records
            assert eventually(lambda: all(records.kinds(f"{way} long")["http 502"] for way in ("http", "https", "h2")))
            assert eventually(lambda: all(records.kinds(f"{way} websocket")["websocket cut"] for way in ("http", "https")))
            assert load.running
    assert {a for a in records.counts if a.kind == "websocket cut"} == {
        Answered("http websocket", "websocket cut", "1"),
        Answered("https websocket", "websocket cut", "1"),
    }
    assert {a.version for a in records.counts if a.kind == "http 502"} == {"unknown"}
    assert records.failures["5xx"] > 10


def test_a_reload_closes_what_idles_and_no_request_fails(tmp_path: Path, nginx_binary: str) -> None:
    """A GOAWAY comes to the idle connections of HTTP/2; the load connects again, as a browser does."""
    with app("1") as (port, _), proxied(tmp_path, port) as (place, tls):
        with Mixed(Endpoint("127.0.0.1", place.port), tls, long_seconds=0.5) as load:
            assert eventually(lambda: load.records.kinds("h2 idle")["ok"] > 4)
            old = place.workers.active
            place.checked(["/usr/sbin/nginx", "-p", str(place.folder), "-c", str(place.conf), "-s", "reload"])
            assert eventually(lambda: not old & place.workers.active and place.workers.active)
            seen = load.records.kinds("h2 idle")["ok"]
            assert eventually(lambda: load.records.kinds("h2 idle")["ok"] > seen + 4)
            assert load.running
        assert sum(load.records.failures.values()) == 0, load.records.errors
