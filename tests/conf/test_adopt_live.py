"""Instant mode on real nginx: what app and client get before and after is the same; a flag switches, and closes."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

from tests.conf.adopt_live import Pair, Taken, Two, app, listeners, pair
from tests.e2e.support import eventually

PATHS = [
    "/",
    "/a%2Fb//c/./../d%3Fe%20f?q=%2F&r=a%20b",
    "/%C3%A9/;x=1",
    "/a//b",
    "/y/%2e%2e/x",
    "/api/x%2Fy?z",
    "/old/x%2Fy?z=1",
    "/moved/here",
    "/by/default/moved",
    "/try/a%2Fb",
    "/named/a%2Fb",
    "/re/42/x%2Fy",
    "/break/x%2Fy",
    "/nested/in/x",
    "/if/x%2Fy",
]
SERVER = """\
        rewrite ^/old/(.*)$ /new/$1;
        proxy_set_header X-Port $proxy_port;
        location / { proxy_pass http://app; }
        location /api/ {
            proxy_pass http://app;
            proxy_set_header Host $http_host;
        }
        location /moved/ { proxy_pass http://app; proxy_redirect default; proxy_set_header X $proxy_host; }
        location /try/ { root /nonexistent; try_files $uri /fall?x=1; }
        location /named/ { root /nonexistent; try_files $uri @app; }
        location @app { proxy_pass http://app; }
        location ~ ^/re/(\\d+) { proxy_pass http://app; proxy_set_header X-Id $1; }
        location /break/ { rewrite ^/break/(.*) /broken/$1 break; proxy_pass http://app; }
        location /nested/ {
            proxy_pass http://app;
            location /nested/in/ { proxy_pass http://app; }
        }
        location /if/ {
            if ($request_method = PUT) { proxy_pass http://app; }
            proxy_pass http://app;
        }
        location /limited/ {
            limit_except GET { deny all; }
            proxy_pass http://app;
        }
        location /static { return 200 static; }
"""


@pytest.fixture
def apps() -> Iterator[Two]:
    with app("blue") as blue, app("green") as green:
        yield Two(blue, green)


@pytest.fixture
def site(tmp_path: Path, apps: Two, nginx_binary: str) -> Iterator[Pair]:
    with pair(tmp_path, apps, SERVER) as made:
        yield made


def test_the_app_and_the_client_see_no_difference(site: Pair) -> None:
    for path in PATHS:
        assert site.same(path).slot == "blue"
    assert site.same("/moved/x").headers["Location"] == "http://shop.example/next?from=/moved/x"
    assert site.same("/x").seen["headers"]["Host"] == "app"
    assert site.same("/moved/x").seen["headers"]["X"] == "app"
    assert site.same("/re/42/x").seen["headers"]["X-Id"] == "42"
    assert site.same("/x", "POST", "body=1").seen["body"] == "body=1"
    assert site.same("/if/x", "PUT", "body").seen["method"] == "PUT"
    assert site.same("/x", "HEAD").body == b""
    assert site.same("/limited/x", "POST", "a").status == 403


def test_the_flag_switches_at_once(site: Pair) -> None:
    master = site.instant.workers.active
    for share, slot in ((100, "green"), (0, "blue"), (100, "green")):
        site.switch(share)
        assert {site.get(path).slot for path in PATHS} == {slot}
        assert site.get("/if/x", "PUT", "a").slot == slot
    assert site.instant.workers.active == master


def test_nginx_says_what_it_sees_of_the_flag(site: Pair) -> None:
    path = "/.proxyswitch/app.check"
    assert site.get(path).body == b"app_blue, flag seen"
    site.switch(100)
    assert site.get(path).body == b"app_green, flag seen"
    (site.flags / "green").unlink()
    assert site.get(path).body == b"app_blue, no flag seen"
    away = http.client.HTTPConnection("127.0.0.1", site.instant.port, timeout=20, source_address=("127.0.0.9", 0))
    away.request("GET", path)
    assert away.getresponse().status == 404
    away.close()


def test_a_client_without_a_flag_goes_to_blue(site: Pair) -> None:
    (site.flags / "green").unlink()
    assert site.get("/").slot == "blue"


def test_a_dead_slot_is_covered_by_the_other(site: Pair, apps: Two) -> None:
    apps.blue.shutdown()
    apps.blue.socket.close()
    for _ in range(5):
        assert site.get("/x", "POST", "body").seen["slot"] == "green"
    assert site.get("/if/x", "PUT", "a").slot == "green"


CLOSED = {"Retry-After": "120", "Content-Type": "text/html"}


def closed(site: Pair, path: str, method: str = "GET", body: str = "") -> None:
    answer = site.get(path, method, body)
    assert answer.status == 503
    assert answer.headers.items() >= CLOSED.items()
    assert answer.body == (b"" if method == "HEAD" else b"we are at work\n")


def test_the_gate_closes_and_opens(site: Pair) -> None:
    site.close("10.0.0.1", "8-10", "16-127.1")
    for path in PATHS:
        closed(site, path)
    for method in ("POST", "PUT", "HEAD"):
        closed(site, "/if/x", method, "" if method == "HEAD" else "body")
    assert site.get("/limited/x", "POST", "a").status == 403
    closed(site, "/limited/x")
    assert site.get("/static").body == b"static"
    site.open()
    assert site.get("/").slot == "blue"


@pytest.mark.parametrize("allowed", ["127.0.0.1", "8-127", "16-127.0", "24-127.0.0"])
def test_whom_the_gate_lets_in_gets_the_same_answer(allowed: str, site: Pair) -> None:
    site.close(allowed)
    for path in PATHS:
        assert site.same(path).slot == "blue"
    assert site.same("/x", "POST", "body").seen["body"] == "body"
    assert site.same("/if/x", "PUT", "body").status == 200
    site.switch(100)
    assert site.get("/a%2Fb").seen["path"] == "/a%2Fb"
    assert site.get("/a%2Fb").slot == "green"


@pytest.mark.parametrize("path", ["/.proxyswitch/app/", "/.proxyswitch/app/x", "/.proxyswitch/app.html"])
def test_nobody_gets_at_the_gate_itself(path: str, site: Pair) -> None:
    assert site.get(path).status == 404
    site.close()
    assert site.get(path).status == 404
    assert site.get("/").body == b"we are at work\n"


GUARDED = """\
        auth_basic closed; auth_basic_user_file /dev/null; deny 127.0.0.9;
        location / { proxy_pass http://app; }
        location ~ /\\. { deny all; }
"""


def test_the_page_is_seen_where_the_server_keeps_people_out(tmp_path: Path, apps: Two, nginx_binary: str) -> None:
    with pair(tmp_path, apps, GUARDED) as site:
        assert site.same("/").status == 401
        site.close()
        closed(site, "/")
        site.open()
        assert site.same("/").status == 401


NAMED = """\
        server_name ~^(.+)\\.example$;
        proxy_set_header X-Name $1;
        proxy_set_header Host $host;
        location / { proxy_pass http://app; }
"""


def test_captures_of_the_server_name_stay(tmp_path: Path, apps: Two, nginx_binary: str) -> None:
    with pair(tmp_path, apps, NAMED) as site:
        assert site.same("/").seen["headers"]["X-Name"] == "shop"


CACHE = "    proxy_cache_path {folder}/cache keys_zone=c:1m;\n"
CACHED = """\
        proxy_cache c;
        location / {
            proxy_pass http://app;
            proxy_cache_valid 60s;
            add_header X-Cache $upstream_cache_status;
        }
"""


def test_both_slots_fill_one_cache(tmp_path: Path, apps: Two, nginx_binary: str) -> None:
    with pair(tmp_path, apps, CACHED, CACHE) as site:
        for path in ("/a", "/a%2Fb", "/a?x=1", "/a/b"):
            assert site.same(path).headers["X-Cache"] == "MISS"
            assert site.same(path).headers["X-Cache"] == "HIT"
        site.switch(100)
        assert (site.get("/a").headers["X-Cache"], site.get("/a").slot) == ("HIT", "blue")
        assert (site.get("/new").headers["X-Cache"], site.get("/new").slot) == ("MISS", "green")
        files = [sorted(p.name for p in (b.folder / "cache").iterdir()) for b in (site.plain, site.instant)]
        assert set(files[0]) < set(files[1])  # the same keys: what was cached before an adoption is found after it


def test_a_share_of_the_clients_by_a_cookie(tmp_path: Path, apps: Two, nginx_binary: str) -> None:
    with pair(tmp_path, apps, SERVER, sticky="cookie:id") as site:
        site.switch(50)
        slots = {str(n): site.get("/", Cookie=f"id={n}").slot for n in range(60)}
        assert 10 < list(slots.values()).count("green") < 50
        assert {n: site.get("/", Cookie=f"id={n}").slot for n in slots} == slots


def test_the_log_stands_beside_the_persons_own(tmp_path: Path, apps: Two, nginx_binary: str) -> None:
    log, own, loud = tmp_path / "tries.log", tmp_path / "own.log", tmp_path / "loud.log"
    server = f"""\
        location / {{ proxy_pass http://app; }}
        location /loud {{ proxy_pass http://app; access_log {loud}; }}
        location /quiet {{ proxy_pass http://app; access_log off; }}
        access_log {own};
"""
    with pair(tmp_path, apps, server, log=str(log)) as site:
        for path in ("/a", "/loud", "/quiet"):
            assert site.same(path).status == 200
        assert eventually(lambda: log.read_text().count("\n") == 3)
        assert log.read_text().count('"upstream_status":"200"') == 3
        assert own.read_text().count("GET /a ") == 2
        assert loud.read_text().count("GET /loud ") == 2
        assert "GET /quiet" not in own.read_text() + loud.read_text()


PROTOCOLS = {
    "fastcgi_pass app;": b"\x01\x01",
    "uwsgi_pass uwsgi://app;": b"\x00",
    "scgi_pass app;": b"",
    "grpc_pass grpc://app;": b"PRI * HTTP/2.0",
    "proxy_pass https://app;": b"\x16\x03",
}


@pytest.mark.parametrize("line", PROTOCOLS)
def test_other_protocols_reach_the_slot_as_well(line: str, tmp_path: Path, nginx_binary: str) -> None:
    taken: Taken = Queue()
    with listeners(taken) as both, pair(tmp_path, both, f"location / {{ {line} }}\n") as site:
        for share, slots in ((0, ["blue", "green"]), (100, ["green", "blue"])):
            site.switch(share)
            assert site.get("/").status == 502
            found = [taken.get(timeout=20) for _ in slots]  # who hangs up is followed by the backup
            assert [slot for slot, _ in found] == slots
            assert all(said and said.startswith(PROTOCOLS[line]) for _, said in found)


def test_the_name_for_tls_is_the_pools(tmp_path: Path, nginx_binary: str) -> None:
    taken: Taken = Queue()
    line = "location / { proxy_pass https://app; proxy_ssl_server_name on; }\n"
    with listeners(taken) as both, pair(tmp_path, both, line) as site:
        site.get("/")
        _, hello = taken.get(timeout=20)
        assert b"\x00\x00\x00\x08\x00\x06\x00\x00\x03app" in hello  # the extension server_name of a ClientHello


BEHIND = """\
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Client;
        location / { proxy_pass http://app; }
"""
CLIENTS = {
    "10.1.2.3": ("8-10", "16-10.1", "24-10.1.2", "10.1.2.3"),
    "2001:db8:1:2:3:4:5:6": ("16-2001", "32-2001:db8", "48-2001:db8:1", "64-2001:db8:1:2", "2001:db8:1:2:3:4:5:6"),
    "2001:db8::7": ("16-2001", "32-2001:db8", "2001:db8::7"),
    "2001::7": ("16-2001", "2001::7"),
    "::1": ("::1",),
}
OTHERS = ("8-1", "8-101", "16-10.10", "24-10.1.20", "10.1.2.30", "16-200", "32-2001:db", "64-2001:db8:1:20", "8-", "16-")


def test_networks_are_told_by_the_begin_of_an_address(tmp_path: Path, apps: Two, nginx_binary: str) -> None:
    with pair(tmp_path, apps, BEHIND) as site:
        site.close()
        allow = site.flags / "retry-120.x" / "allow"
        for client, names in CLIENTS.items():
            assert site.get("/", X_Client=client).status == 503
            for name in (*names, *OTHERS):
                (allow / name).touch()
                assert site.get("/", X_Client=client).status == (200 if name in names else 503), name
                (allow / name).unlink()
