from __future__ import annotations

from pathlib import Path

import pytest

from proxyswitch.conf.nginx import chain, pools
from proxyswitch.model import Endpoint, Server
from tests.conf.helpers import first, loaded, pool, write


def servers(body: bytes) -> list[Server]:
    return [line.server for line in first(b"http { upstream app { " + body + b" } }").lines]


@pytest.mark.parametrize(
    ("line", "server"),
    [
        (b"server a:1;", Server("a:1")),
        (b"server a;", Server("a")),
        (b"server a:1 weight=5 down;", Server("a:1", 5, down=True)),
        (b"server a:1 backup max_fails=0 weight=2;", Server("a:1", 2, backup=True, params=("max_fails=0",))),
        (b"server [::1]:3001 fail_timeout=10s;", Server("[::1]:3001", params=("fail_timeout=10s",))),
        (b"server 'unix:/run/a.sock' \"weight=3\";", Server("unix:/run/a.sock", 3)),
        (b"server a:1 'down';", Server("a:1", down=True)),
        (b"server a:1 # weight=9\n weight=2\n;", Server("a:1", 2)),
        (b"server a:1 weight=x;", Server("a:1", params=("weight=x",))),
        (b"server a:1 resolve service=http;", Server("a:1", params=("resolve", "service=http"))),
    ],
)
def test_server_lines(line: bytes, server: Server) -> None:
    assert servers(line) == [server]


def test_endpoints_of_server_lines() -> None:
    found = [s.endpoint for s in servers(b"server a; server [::1]:2; server unix:/r; server $x;")]
    assert found == [Endpoint("a", 80), Endpoint("::1", 2), Endpoint(path="/r"), None]


def test_what_is_no_server_line() -> None:
    assert servers(b"# server a:1;\n zone app 64k; keepalive 4; server b:1; server_name x;") == [Server("b:1")]


def test_http_and_stream_and_snippets() -> None:
    config = loaded(b"stream { upstream app { server s:1; } } http { upstream app { server h:1; } }")
    assert [(u.context, u.lines[0].server.address) for u in pools.upstreams(config)] == [
        ("stream", "s:1"),
        ("http", "h:1"),
    ]
    assert first(b"upstream app { server h:1; }").context == "http"
    assert pool(config, "app", "stream").lines[0].server.address == "s:1"


def test_a_pool_with_its_place_and_balancer() -> None:
    found = first(b"http {\n\n upstream app { least_conn; server a:1; }}").pool()
    assert (found.name, found.proxy, found.context, found.balancer) == ("app", "nginx", "http", "least_conn")
    assert str(found.where) == "/conf/nginx.conf:3"
    assert str(found.servers[0].where) == "/conf/nginx.conf:3"
    assert first(b"upstream app { ip_hash; server a:1; }").balancer == "ip_hash"
    assert first(b"upstream app { server a:1; }").balancer == ""


def test_a_quoted_name() -> None:
    assert first(b'upstream "my pool" { server a:1; }').name == "my pool"
    assert first(b"upstream { server a:1; }").name == ""


INSIDE = {
    "nginx.conf": b"http { include up.conf; include up.conf; server { include loc.conf; } }",
    "up.conf": b"upstream app { server own:1; include servers/*.conf; keepalive 2; }\nupstream b { server b:1; }",
    "servers/1.conf": b"server one:1;\nip_hash;",
    "servers/2.conf": b"include more.conf;",
    "more.conf": b"server more:1 down;",
    "loc.conf": b"listen 1;",
}


def test_server_lines_in_included_files(tmp_path: Path) -> None:
    config = chain.load(write(tmp_path, INSIDE))
    app = pool(config, "app")  # though its file is included twice
    assert [line.server.address for line in app.lines] == ["own:1", "one:1", "more:1"]
    assert [Path(line.document.path).name for line in app.lines] == ["up.conf", "1.conf", "more.conf"]
    assert app.balancer == "ip_hash"
    assert app.place is app.lines[-1].document
    assert pools.shared_with(config, app) is None


def test_pools_that_share_a_file_of_servers(tmp_path: Path) -> None:
    data = b"http { upstream app { include s.conf; } upstream other { include s.conf; } upstream own { server o:1; } }"
    config = chain.load(write(tmp_path, {"nginx.conf": data, "s.conf": b"server a:1;"}))
    shared = pools.shared_with(config, pool(config, "app"))
    assert shared
    assert shared.name == "other"
    assert pools.shared_with(config, pool(config, "own")) is None


def test_one_file_in_http_and_in_stream_is_two_pools_of_the_same_lines(tmp_path: Path) -> None:
    data = b"http { include up.conf; } stream { include up.conf; }"
    config = chain.load(write(tmp_path, {"nginx.conf": data, "up.conf": b"upstream app { server a:1; }"}))
    shared = pools.shared_with(config, pool(config, "app", "http"))
    assert shared
    assert (shared.name, shared.context) == ("app", "stream")
