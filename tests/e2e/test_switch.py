"""`switch`, `weight`, `set` and `drain` on a real nginx: the good way, on configs in every shape that people give them."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer

import pytest

from proxyswitch.model import Endpoint
from proxyswitch.system import net
from tests.e2e.support import CONF, LIMIT, POOLS, Bench, eventually
from tests.ports import free_port


def versions(place: Bench, count: int = 12) -> set[str]:
    return {place.version() for _ in range(count)}


def test_traffic_moves_and_the_file_changes_by_the_port_alone(running: Bench) -> None:
    before = running.pools.read_text()
    old, new = before.split("127.0.0.1:")[2].split(";")[0], running.instance("2")
    result = running.run("switch", "app_backend", f"127.0.0.1:{new}", "--json", "--drain", "20s")
    assert result.code == 0, result.err
    assert result.json["changed"] is True
    assert result.json["to"] == [f"127.0.0.1:{new}"]
    assert running.version() == "2"
    assert running.pools.read_text() == before.replace(f"server 127.0.0.1:{old};", f"server 127.0.0.1:{new};")


def test_a_switch_that_is_so_already_is_silent(running: Bench) -> None:
    endpoint = running.run("get", "app_backend").out.strip()
    with running.nothing_done():
        result = running.run("switch", "app_backend", endpoint)
    assert (result.code, result.out, result.err) == (0, "", "")


def test_a_change_is_one_line(running: Bench) -> None:
    old, new = running.run("get", "app_backend").out.strip(), running.instance("2")
    result = running.run("switch", "app_backend", f"127.0.0.1:{new}")
    assert re.fullmatch(rf"app_backend: {old} → 127\.0\.0\.1:{new} \(reload, [\d.]+ s\)\n", result.out)
    assert result.err == ""


def test_quiet_says_nothing(running: Bench) -> None:
    result = running.run("switch", "app_backend", f"127.0.0.1:{running.instance('2')}", "-q", "--drain", "20s")
    assert (result.code, result.out, result.err, running.version()) == (0, "", "", "2")


def test_the_answer_as_json_says_what_was_and_what_is(running: Bench) -> None:
    old, new = running.run("get", "app_backend").out.strip(), running.instance("2")
    result = running.run("switch", "app_backend", f"127.0.0.1:{new}", "--json")
    assert len(result.out.splitlines()) == 1
    assert result.json.pop("seconds") > 0
    expected = {"changed": True, "pool": "app_backend", "from": [old], "to": [f"127.0.0.1:{new}"], "mode": "reload"}
    assert {key: result.json[key] for key in expected} == expected


# targets


def test_several_targets_share_the_traffic(running: Bench) -> None:
    ports = [running.instance("2"), running.instance("3")]
    assert running.run("switch", "app_backend", *(f"127.0.0.1:{p}" for p in ports)).code == 0
    assert versions(running) == {"2", "3"}
    assert running.run("get", "app_backend").out.split() == [f"127.0.0.1:{p}" for p in ports]


def test_a_server_that_is_down_takes_over_and_back(place: Bench) -> None:
    blue, green = place.instance("1"), place.instance("2")
    place.write(blue, pools=POOLS.replace("# blue\n", f"# blue\n    server 127.0.0.1:{green} down; # green\n"))
    place.start()
    before = place.pools.read_text()
    assert place.run("switch", "app_backend", f"127.0.0.1:{green}").code == 0
    assert versions(place) == {"2"}
    assert f"server 127.0.0.1:{green}; # green" in place.pools.read_text()
    assert place.run("switch", "app_backend", f"127.0.0.1:{blue}").code == 0
    assert versions(place) == {"1"}
    assert place.pools.read_text() == before


def test_a_backup_changes_places(place: Bench) -> None:
    blue, green = place.instance("1"), place.instance("2")
    pools = POOLS.replace("# blue\n", f"# blue\n    server 127.0.0.1:{green} backup;\n")
    place.write(blue, pools=pools)
    place.start()
    assert place.run("switch", "app_backend", f"127.0.0.1:{green}").code == 0
    assert versions(place) == {"2"}
    servers = place.run("show", "app_backend", "--json").json["pools"][0]["servers"]
    assert {(s["address"], s["backup"]) for s in servers} == {(f"127.0.0.1:{blue}", True), (f"127.0.0.1:{green}", False)}


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-Version", "unix")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class UnixServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@contextmanager
def unix_instance(path: Path) -> Iterator[None]:
    """An instance that listens on a unix socket."""
    with UnixServer(str(path), Answer) as server:
        path.chmod(0o777)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(LIMIT)


def test_a_unix_socket_is_a_target(running: Bench) -> None:
    path = running.folder / "app.sock"
    with unix_instance(path):
        result = running.run("switch", "app_backend", f"unix:{path}", "--health", f"unix://{path}")
        assert result.code == 0, result.err
        assert running.version() == "unix"
        assert running.run("get", "app_backend", "--format", "{path}").out == f"{path}\n"


def test_an_ipv6_address_is_a_target(running: Bench) -> None:
    from http.server import ThreadingHTTPServer

    class Six(ThreadingHTTPServer):
        address_family = socket.AF_INET6
        daemon_threads = True

    try:
        server = Six(("::1", 0), Answer)
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        result = running.run("switch", "app_backend", f"[::1]:{server.server_port}")
        assert result.code == 0, result.err
        assert running.version() == "unix"
        server.shutdown()
        thread.join(LIMIT)
    assert running.run("get", "app_backend", "--format", "{host} {port}").out == f"::1 {server.server_port}\n"


# shapes of a config


def test_a_link_in_sites_enabled_stays_a_link(place: Bench) -> None:
    available, enabled = place.folder / "sites-available", place.folder / "sites-enabled"
    available.mkdir()
    enabled.mkdir()
    place.write(place.instance("1"), conf=CONF.replace("include pools.conf", "include sites-enabled/*"))
    place.pools.rename(available / "shop")
    (enabled / "shop").symlink_to("../sites-available/shop")
    place.start()
    (available / "shop").chmod(0o640)
    result = place.run("switch", "app_backend", f"127.0.0.1:{place.instance('2')}")
    assert result.code == 0, result.err
    assert place.version() == "2"
    assert os.readlink(enabled / "shop") == "../sites-available/shop"
    assert (available / "shop").stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(enabled)) == sorted(os.listdir(available)) == ["shop"]


def test_server_lines_in_an_included_file_are_edited_there(place: Bench) -> None:
    blue, new = place.instance("1"), place.instance("2")
    place.write(blue, pools="upstream app_backend {{\n    include servers/*.conf; # by slot\n}}\n")
    (place.folder / "servers").mkdir()
    lines = place.folder / "servers" / "live.conf"
    lines.write_text(f"server 127.0.0.1:{blue} max_fails=0;\n")
    place.start()
    before = place.pools.read_text()
    result = place.run("switch", "app_backend", f"127.0.0.1:{new}")
    assert result.code == 0, result.err
    assert lines.read_text() == f"server 127.0.0.1:{new} max_fails=0;\n"
    assert (place.pools.read_text(), place.version()) == (before, "2")


def stream_bench(place: Bench, module: str, name: str) -> int:
    """nginx with a stream pool of that name beside the http pool; returns the port of the stream."""
    port, blue = free_port(), place.instance("1")
    place.write(blue)
    pool = f"upstream {name} {{ server 127.0.0.1:{blue}; }}"
    server = f"server {{ listen 127.0.0.1:{port}; proxy_pass {name}; }}"
    place.conf.write_text(f"{module}\n{place.conf.read_text()}stream {{ {pool} {server} }}\n")
    place.start()
    return port


def version_at(port: int) -> str:
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=LIMIT) as answer:
        return str(answer.headers["X-Version"])


def test_a_stream_pool_is_switched(place: Bench, nginx_globals: str) -> None:
    port = stream_bench(place, nginx_globals, "tcp")
    result = place.run("switch", "tcp", f"127.0.0.1:{place.instance('2')}")
    assert result.code == 0, result.err
    assert (version_at(port), place.version()) == ("2", "1")


def test_a_name_in_http_and_in_stream_needs_its_context(place: Bench, nginx_globals: str) -> None:
    port = stream_bench(place, nginx_globals, "app_backend")
    new = f"127.0.0.1:{place.instance('2')}"
    with place.nothing_done():
        unclear = place.run("switch", "app_backend", new)
    assert unclear.code == 2
    assert "the pool app_backend is there 2 times" in unclear.err
    assert "http:app_backend or stream:app_backend" in unclear.err
    result = place.run("switch", "stream:app_backend", new)
    assert result.code == 0, result.err
    assert (version_at(port), place.version()) == ("2", "1")
    assert place.run("switch", "nginx:http:app_backend", new).code == 0
    assert place.version() == "2"


def test_what_stands_around_the_address_stays(place: Bench) -> None:
    blue, new = place.instance("1"), place.instance("2")
    text = (
        "# server 127.0.0.1:{blue};\r\n"
        "upstream app_backend {{\r\n"
        "\tserver   'localhost:{blue}'   weight=5 max_fails=0 # {blue}\r\n"
        "\t\tfail_timeout=3s ;keepalive 4;\r\n"
        "}}  upstream other {{ server 127.0.0.1:{blue}; }}"
    )
    place.write(blue, pools=text)
    place.start()
    before = place.pools.read_bytes()
    result = place.run("switch", "app_backend", f"127.0.0.1:{new}")
    assert result.code == 0, result.err
    after = place.pools.read_bytes()
    assert re.sub(rb"server   \S+   weight", b"server   X   weight", after) == re.sub(
        rb"server   \S+   weight", b"server   X   weight", before
    )
    assert place.version() == "2"


# looking first


def test_a_dry_run_touches_nothing(running: Bench) -> None:
    def marks() -> dict[str, tuple[int, int, int]]:
        found = {str(p): p.lstat() for p in (running.folder, *running.folder.rglob("*"))}
        return {name: (s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for name, s in found.items()}

    old, before = running.run("get", "app_backend").out.strip(), marks()
    with running.nothing_done():
        result = running.run("switch", "app_backend", "127.0.0.1:3002", "--dry-run", "--drain", "5s")
        as_json = running.run("switch", "app_backend", "127.0.0.1:3002", "--dry-run", "--json").json
    assert marks() == before
    assert not running.state.exists()
    assert result.code == 0
    assert re.search(rf"\n-    server {old}; +# blue\n\+    server 127.0.0.1:3002; +# blue\n", result.out)
    assert (as_json["would_change"], as_json["changed"]) == (True, False)


def test_check_tells_by_its_exit_code(running: Bench) -> None:
    now = running.run("get", "app_backend").out.strip()
    with running.nothing_done():
        assert running.run("switch", "app_backend", "127.0.0.1:3002", "--check", "-q").code == 1
        assert running.run("switch", "app_backend", now, "--check", "-q").code == 0
    assert not running.state.exists()


# gates


def test_a_healthy_target_is_switched_to(running: Bench) -> None:
    new = running.instance("2")
    result = running.run("switch", "app_backend", f"127.0.0.1:{new}", "--health", f"http://127.0.0.1:{new}/health")
    assert (result.code, running.version()) == (0, "2"), result.err


def test_a_target_that_never_gets_healthy_is_not_switched_to(running: Bench) -> None:
    new = running.instance("2", APP_BROKEN="never-healthy")
    words = ("--health", f"http://127.0.0.1:{new}/health", "--health-timeout", "500ms", "--json")
    with running.nothing_done():
        result = running.run("switch", "app_backend", f"127.0.0.1:{new}", *words)
    assert (result.code, result.json["exit"], result.json["changed"]) == (3, 3, False)
    assert "503" in result.err
    assert running.version() == "1"


def test_a_gate_is_not_waited_for_when_the_pool_is_wrong_anyway(running: Bench) -> None:
    words = ("--health", "http://127.0.0.1:1/", "--health-timeout", "10m")
    with running.nothing_done():
        assert running.run("switch", "app_backnd", "127.0.0.1:3002", *words).code == 2


def test_another_run_may_pass_while_one_waits_for_health(running: Bench) -> None:
    ill, new = running.instance("2", APP_BROKEN="never-healthy"), running.instance("3")
    waiting = running.spawn(
        "switch", "app_backend", f"127.0.0.1:{ill}", "--health", f"http://127.0.0.1:{ill}/health", "--health-timeout", "60s"
    )
    assert eventually(lambda: waiting.poll() is None and net.is_listening(Endpoint("127.0.0.1", ill)))
    assert running.run("switch", "app_backend", f"127.0.0.1:{new}", "--lock-timeout", "0").code == 0
    assert waiting.poll() is None


# other changes of a pool


@pytest.fixture
def pair(place: Bench) -> tuple[Bench, str, str]:
    """nginx runs, and its pool has two servers: versions 1 and 2."""
    blue, green = place.instance("1"), place.instance("2")
    place.write(blue, pools=POOLS.replace("# blue\n", f"# blue\n    server 127.0.0.1:{green};\n"))
    place.start()
    return place, f"127.0.0.1:{blue}", f"127.0.0.1:{green}"


def test_weights_are_exact(pair: tuple[Bench, str, str]) -> None:
    place, blue, green = pair
    conf = place.conf.read_text()
    place.conf.write_text(conf.replace("worker_processes 2", "worker_processes 1"))  # each worker counts for itself
    result = place.run("weight", "app_backend", f"{blue}=9", f"{green}=1")
    assert result.code == 0, result.err
    assert eventually(lambda: len(place.workers.active) == 1 and not place.workers.old)
    seen = [place.version() for _ in range(20)]
    assert (seen.count("1"), seen.count("2")) == (18, 2)


def test_weight_0_takes_a_server_out_and_another_weight_brings_it_back(pair: tuple[Bench, str, str]) -> None:
    place, blue, _ = pair
    assert place.run("weight", "app_backend", f"{blue}=0").code == 0
    assert versions(place) == {"2"}
    assert f"server {blue} down;" in place.pools.read_text()
    assert place.run("weight", "app_backend", f"{blue}=1").code == 0
    assert versions(place) == {"1", "2"}


@pytest.mark.parametrize("state", ["maint", "drain"])
def test_a_server_is_taken_out_and_made_ready(pair: tuple[Bench, str, str], state: str) -> None:
    place, _, green = pair
    before = place.pools.read_text()
    assert place.run("set", f"app_backend/{green}", state).code == 0
    assert versions(place) == {"1"}
    again = place.run("set", f"app_backend/{green}", state)
    assert (again.code, again.out, again.err) == (0, "", "")
    assert place.run("set", f"app_backend/{green}", "ready").code == 0
    assert versions(place) == {"1", "2"}
    assert place.pools.read_text() == before


def test_drain_takes_a_server_out(pair: tuple[Bench, str, str]) -> None:
    place, blue, green = pair
    result = place.run("drain", f"app_backend/{blue}", "--timeout", "30s", "--json")
    assert (result.code, result.json["to"]) == (0, [green]), result.err
    assert versions(place) == {"2"}
    with place.nothing_done():
        assert place.run("drain", f"app_backend/{green}").code == 2


def test_history_knows_what_was_done(running: Bench) -> None:
    new = running.instance("2")
    assert running.run("switch", "app_backend", f"127.0.0.1:{new}").code == 0
    entry = json.loads(running.run("history", "--json").out.splitlines()[-1])
    assert f"127.0.0.1:{new}" in json.dumps(entry)
