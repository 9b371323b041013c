"""Upstreams and what is passed to them: what fires, what must not, what the fixes do, and what real nginx says to it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from proxyswitch.conf.nginx import chain, pools
from proxyswitch.conf.text import apply
from proxyswitch.lint.finding import Finding, Source
from proxyswitch.lint.nginx import run, typos
from proxyswitch.lint.options import Options
from tests.lint.helpers import LACKING, in_config, names
from tests.lint.helpers import nginx_folder as in_folder
from tests.nginx_check import Nginx

OPEN = "upstream app { server 127.0.0.1:3001; server 127.0.0.1:3002; }"


@pytest.fixture(scope="module")
def nginx(nginx_binary: str, nginx_globals: str) -> Nginx:
    return Nginx(nginx_binary, nginx_globals)


def nginx_folder(folder: Path, files: dict[str, str]) -> list[tuple[str, int, str]]:
    return in_folder(folder, files, ignore=(*LACKING, "nginx/include-nothing"))


def fired(text: str, rule: str) -> list[Finding]:
    return in_config("nginx", text, select=(f"nginx/{rule}",))


def says(text: str, rule: str) -> str:
    return "\n".join(finding.message for finding in fired(text, rule))


def http(body: str, pool: str = OPEN, main: str = "") -> str:
    return f"{main} events {{ }} http {{ {pool} {body} }}"


def located(line: str, pool: str = OPEN, server: str = "") -> str:
    return http(f"server {{ listen 8080; {server} location / {{ {line} }} }}", pool)


def pool(lines: str) -> str:
    return f"upstream app {{ {lines} }}"


def streamed(line: str, lines: str = "server 127.0.0.1:3001;") -> str:
    return f"events {{ }} stream {{ upstream app {{ {lines} }} server {{ listen 8080; {line} }} }}"


# --- what nginx refuses: it and the rules must agree

GOOD_LINES = [
    "server 127.0.0.1:3001;",
    "server 127.0.0.1;",
    "server [::1];",
    "server [::1]:3001;",
    "server localhost:3001;",
    "server unix:/run/app.sock;",
    "server unix:app.sock weight=2;",
    'server "127.0.0.1:3001" "weight=2";',
    "server 127.0.0.1:65535;",
    "server 127.0.0.1:1 weight=1 max_fails=0 fail_timeout=0 max_conns=0;",
    "server 127.0.0.1:1 weight=2 weight=3;",
    "server 127.0.0.1:1 weight=007;",
    "server 127.0.0.1:1 weight=99999999999999;",
    "server 127.0.0.1:1 fail_timeout=10;",
    "server 127.0.0.1:1 fail_timeout=1m30s;",
    'server 127.0.0.1:1 "fail_timeout=1m 30s";',
    'server 127.0.0.1:1 "fail_timeout=1 2";',
    "server 127.0.0.1:1 fail_timeout=1y2M3w4d5h6m7s;",
    "server 127.0.0.1:1 down;",
    "server 127.0.0.1:1 down; server 127.0.0.1:2 backup;",
    "server 127.0.0.1:1; server 127.0.0.1:2 backup; ip_hash;",
    "server 127.0.0.1:1; server 127.0.0.1:2 backup; hash $uri consistent;",
    "least_conn; server 127.0.0.1:1; server 127.0.0.1:2 backup;",
    "ip_hash; least_conn; server 127.0.0.1:1; server 127.0.0.1:2 backup;",
    "ip_hash; server 127.0.0.1:1; server 127.0.0.1:2 down;",
    "server 127.0.0.1:1; keepalive 8; random;",
]
BAD_LINES = [
    ("", "no-servers"),
    ("keepalive 8;", "no-servers"),
    ("server 127.0.0.1:1 backup;", "no-servers"),
    ("server 127.0.0.1:1 down backup;", "no-servers"),
    ("server 127.0.0.1:1 weight=0;", "server-parameter"),
    ("server 127.0.0.1:1 weight=00;", "server-parameter"),
    ("server 127.0.0.1:1 weight=x;", "server-parameter"),
    ("server 127.0.0.1:1 weight=-1;", "server-parameter"),
    ("server 127.0.0.1:1 weight=;", "server-parameter"),
    ("server 127.0.0.1:1 weight;", "server-parameter"),
    ("server 127.0.0.1:1 weight= 2;", "server-parameter"),
    ("server 127.0.0.1:1 weight=1.5;", "server-parameter"),
    ("server 127.0.0.1:1 weight=99999999999999999999;", "server-parameter"),
    ("server 127.0.0.1:1 WEIGHT=2;", "server-parameter"),
    ("server 127.0.0.1:1 max_fails=x;", "server-parameter"),
    ("server 127.0.0.1:1 max_fails=;", "server-parameter"),
    ("server 127.0.0.1:1 max_fails 3;", "server-parameter"),
    ("server 127.0.0.1:1 max_conns=-1;", "server-parameter"),
    ("server 127.0.0.1:1 fail_timeout=10x;", "server-parameter"),
    ("server 127.0.0.1:1 fail_timeout=500ms;", "server-parameter"),
    ("server 127.0.0.1:1 fail_timeout=30s1m;", "server-parameter"),
    ("server 127.0.0.1:1 fail_timeout=s;", "server-parameter"),
    ("server 127.0.0.1:1 fail_timeout=;", "server-parameter"),
    ("server 127.0.0.1:1 Down;", "server-parameter"),
    ("server 127.0.0.1:1 down=1;", "server-parameter"),
    ("server 127.0.0.1:1 bakcup;", "server-parameter"),
    ("server weight=2 127.0.0.1:1;", "server-parameter"),
    ("server http://127.0.0.1:3001;", "server-address"),
    ("server http://127.0.0.1;", "server-address"),
    ("server https://127.0.0.1:3001;", "server-address"),
    ("server http://127.0.0.1:3001/;", "server-address"),
    ("server 127.0.0.1:3001/;", "server-address"),
    ("server 127.0.0.1/path;", "server-address"),
    ("server 127.0.0.1:3001/path;", "server-address"),
    ("server 127.0.0.1:99999;", "server-address"),
    ("server 127.0.0.1:0;", "server-address"),
    ("server 127.0.0.1:;", "server-address"),
    ("server 127.0.0.1:abc;", "server-address"),
    ("server 127.0.0.1:80-82;", "server-address"),
    ("server :80;", "server-address"),
    ("server ::1;", "server-address"),
    ("server [::1;", "server-address"),
    ("server unix:;", "server-address"),
    ('server "127.0.0.1:80 weight=2";', "server-address"),
    ("ip_hash; server 127.0.0.1:1; server 127.0.0.1:2 backup;", "backup-refused"),
    ("hash $uri; server 127.0.0.1:1; server 127.0.0.1:2 backup;", "backup-refused"),
    ("random two; server 127.0.0.1:1; server 127.0.0.1:2 down backup;", "backup-refused"),
    ("least_conn; ip_hash; server 127.0.0.1:1; server 127.0.0.1:2 backup;", "backup-refused"),
]
REFUSALS = ("no-servers", "server-parameter", "server-address", "backup-refused", "port-on-pool", "upstream-undefined")


def refusals(text: str) -> list[str]:
    found = in_config("nginx", text)
    return [f.rule.removeprefix("nginx/") for f in found if f.level == "error" and f.rule.removeprefix("nginx/") in REFUSALS]


def test_what_nginx_refuses_is_found(nginx: Nginx, tmp_path: Path) -> None:
    for lines, rule in BAD_LINES:
        text = located("proxy_pass http://app;", pool(lines))
        assert set(refusals(text)) == {rule}, lines
        (tmp_path / "nginx.conf").write_text(f"pid nginx.pid; {text}")
        assert nginx.test(tmp_path / "nginx.conf").returncode == 1, lines


def test_what_nginx_takes_is_not_found(nginx: Nginx, tmp_path: Path) -> None:
    for lines in GOOD_LINES:
        text = located("proxy_pass http://app;", pool(lines))
        assert refusals(text) == [], lines
        (tmp_path / "nginx.conf").write_text(f"pid nginx.pid; {text}")
        done = nginx.test(tmp_path / "nginx.conf")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (located("proxy_pass http://app:8080;"), "port-on-pool"),
        (located("proxy_pass http://APP:80/;"), "port-on-pool"),
        (located("fastcgi_pass app:9000;"), "port-on-pool"),
        (streamed("proxy_pass app:80;"), "port-on-pool"),
        (streamed("proxy_pass app;", "server 127.0.0.1;"), "server-address"),
        (streamed("proxy_pass app;", "server 127.0.0.1:3001 weight=0;"), "server-parameter"),
        (streamed("proxy_pass app;", "random; server 127.0.0.1:1; server 127.0.0.1:2 backup;"), "backup-refused"),
        (streamed("proxy_pass app;", ""), "no-servers"),
        (streamed("proxy_pass other;"), "upstream-undefined"),
        (streamed("proxy_pass localhost;"), "upstream-undefined"),
        (streamed("proxy_pass 127.0.0.1;"), "upstream-undefined"),
        (located("fastcgi_pass php;"), "upstream-undefined"),
        (located("fastcgi_pass 127.0.0.1;"), "upstream-undefined"),
        (located("grpc_pass grpcs://other;"), "upstream-undefined"),
        (located("uwsgi_pass [::1];"), "upstream-undefined"),
        (located("memcached_pass cache.example.com;"), "upstream-undefined"),
        (located("proxy_pass http://app;"), ""),
        (located("proxy_pass http://APP;"), ""),
        (located("proxy_pass https://app/api/;"), ""),
        (located("proxy_pass http://app?x=1;"), ""),
        (located("grpc_pass app;"), ""),
        (located("fastcgi_pass unix:/run/php.sock;"), ""),
        (located("proxy_pass http://unix:/run/app.sock:/uri;"), ""),
        (located("proxy_pass http://127.0.0.1;"), ""),
        (located("proxy_pass http://app.shop;", "upstream app.shop { server 127.0.0.1:1; }"), ""),
        (streamed("proxy_pass app;"), ""),
        (streamed("proxy_pass unix:/run/app.sock;"), ""),
        (streamed("proxy_pass 127.0.0.1:80;"), ""),
    ],
    ids=str,
)
def test_passes_are_judged_as_nginx_does(text: str, rule: str, nginx: Nginx, tmp_path: Path) -> None:
    assert refusals(text) == ([rule] if rule else [])
    (tmp_path / "nginx.conf").write_text(f"pid nginx.pid; {text}")
    done = nginx.test(tmp_path / "nginx.conf")
    assert done.returncode == int(bool(rule)), done.stderr


def test_what_only_some_versions_know_is_not_judged() -> None:
    lines = (
        "zone app 64k; server 127.0.0.1:3001 slow_start=30s route=a drain; server app.internal service=http resolve id=4;"
    )
    assert refusals(pool(lines)) == []
    assert refusals(streamed("proxy_pass app;", "server app.internal service=_http._tcp resolve;")) == []


def test_a_template_is_not_judged_but_a_variable_is() -> None:
    assert refusals(pool("server ${APP_HOST}:${APP_PORT} weight=${WEIGHT};")) == []
    assert refusals(pool("server $APP;")) == []
    assert refusals(pool("server $backend;")) == ["server-address"]


def test_a_number_alone_is_no_port() -> None:
    assert says(pool("server 3001;"), "server-address") == "3001 is no address: did you mean 127.0.0.1:3001?"


def test_the_near_parameter_is_named() -> None:
    assert says(pool("server 127.0.0.1:1 wieght=2;"), "server-parameter").endswith("wieght=2: did you mean weight?")
    assert says(pool("server 127.0.0.1:1 bakup;"), "server-parameter").endswith("bakup: did you mean backup?")
    assert says(pool("server 127.0.0.1:1 DOWN;"), "server-parameter").endswith("DOWN: did you mean down?")
    assert says(pool("server 127.0.0.1:1 frob=2;"), "server-parameter") == "a server has no parameter frob=2"
    (one,) = fired("upstream app {\n    server 127.0.0.1:1 down max_fails 3;\n}\n", "server-parameter")[:1]
    assert (one.line, one.column) == (2, 29)


# --- servers that an include brings


def test_servers_may_come_from_files(tmp_path: Path) -> None:
    main = (
        "events { }\nhttp {\nupstream app { include app.d/*.conf; }\nserver { location / { proxy_pass http://app; } }\n}\n"
    )
    assert ("nginx.conf", 3, "no-servers") in nginx_folder(tmp_path, {"nginx.conf": main})
    found = nginx_folder(
        tmp_path, {"nginx.conf": main, "app.d/1.conf": "ip_hash;\n", "app.d/2.conf": "server 127.0.0.1:1;\n"}
    )
    assert [rule for _, _, rule in found] == ["single-server"]
    found = nginx_folder(tmp_path, {"app.d/3.conf": "server 127.0.0.1:1 backup;\n", "nginx.conf": main})
    assert ("app.d/3.conf", 1, "backup-refused") in found
    assert ("app.d/3.conf", 1, "duplicate-server") in found


@pytest.mark.parametrize("line", ["include /srv/app.conf;", "include missing.conf;"])
def test_what_is_not_seen_is_not_judged(line: str, tmp_path: Path) -> None:
    main = http(f"upstream old {{ {line} server 127.0.0.1:1 down; }} upstream none {{ {line} }} server {{ {line} }}")
    assert nginx_folder(tmp_path, {"nginx.conf": main}) == []


@pytest.mark.parametrize("line", ["state /var/lib/nginx/app.conf;", "jdomain app.internal;", "upsync 127.0.0.1:8500/v1;"])
def test_other_sources_of_servers(line: str) -> None:
    assert refusals(pool(line)) == []


# --- all down


def test_a_pool_that_is_down() -> None:
    down = "server 127.0.0.1:1 down;"
    assert names("nginx", pool(down)) == ["all-down"]
    assert says(pool(down * 2), "all-down") == "app: all its servers are down, so every request to it gets 502"
    assert fired(pool(f"{down} server 127.0.0.1:2 backup down;"), "all-down")
    for lines in (
        f"{down} server 127.0.0.1:2;",
        f"{down} server 127.0.0.1:2 backup;",
        f"{down} balancer_by_lua_block {{ }}",
    ):
        assert not fired(pool(lines), "all-down"), lines


def test_a_pool_of_stream_closes_connections() -> None:
    assert says(streamed("proxy_pass app;", "server 127.0.0.1:1 down;"), "all-down").endswith("every connection is closed")
    found = says(streamed("set $x a.b; proxy_pass $x:80;"), "variable-without-resolver")
    assert found == "there is no resolver for a.b: each connection that goes there is closed"


def test_a_method_of_a_module_may_take_backups() -> None:
    assert refusals(pool("ip_hash; fair; server 127.0.0.1:1; server 127.0.0.1:2 backup;")) == []


def test_one_to_which_nothing_is_passed_harms_nobody() -> None:
    parked = "upstream old { server 127.0.0.1:1 down; }"
    assert names("nginx", located("proxy_pass http://app;", OPEN + parked)) == ["upstream-unused"]
    assert fired(located("proxy_pass http://old;", parked), "all-down")
    assert fired(located("set $x old; proxy_pass http://$x;", parked), "all-down")


# --- twice


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("server 127.0.0.1:3001; server 127.0.0.1:3001 weight=2;", 1),
        ("server 127.0.0.1:80; server 127.0.0.1;", 1),
        ("server App.example.com; server app.example.com:80;", 1),
        ("server [::1]:80; server [::1];", 1),
        ("server unix:/a; server unix:/a;", 1),
        ("server 127.0.0.1:3001; server 127.0.0.1:3001; server 127.0.0.1:3001;", 2),
        ("server 127.0.0.1:3001; server 127.0.0.1:3001 backup;", 1),
        ("server 127.0.0.1:3001; server 127.0.0.1:3001 down;", 0),
        ("server 127.0.0.1:3001 down; server 127.0.0.1:3001;", 0),
        ("server unix:/a; server unix:/A;", 0),
        ("server a.example.com service=x resolve; server a.example.com service=y resolve;", 0),
        ("server 127.0.0.1:80; server 127.0.0.1:8080;", 0),
    ],
)
def test_a_server_twice(lines: str, found: int) -> None:
    assert len(fired(pool(lines), "duplicate-server")) == found


def test_two_pools_may_have_the_same_server() -> None:
    assert not fired("upstream a { server 127.0.0.1:1; } upstream b { server 127.0.0.1:1; }", "duplicate-server")


# --- names without an upstream


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("app_backnd", "app_backend"),
        ("app_backendd", "app_backend"),
        ("app_bakcend", "app_backend"),
        ("app-backend", "app_backend"),
        ("appbackend", "app_backend"),
        ("App_Backemd", "app_backend"),
        ("frontend2", ""),  # a number more is another one
        ("web2", ""),
        ("api_backend", ""),  # in a short word a letter makes another word
        ("app_front", ""),
        ("back", ""),
        ("", ""),
    ],
)
def test_a_slip_of_the_pen(name: str, near: str) -> None:
    assert typos.near(name, typos.index(["app_backend", "frontend1", "web1"])) == near


def test_a_word_that_is_near_is_an_error_and_another_may_be_a_host() -> None:
    backend = "upstream app_backend { server 127.0.0.1:1; }"
    (one,) = fired(located("proxy_pass http://app-backend;", backend), "upstream-undefined")
    assert (one.level, one.message) == ("error", "there is no upstream app-backend: did you mean app_backend?")
    assert not fired(located("proxy_pass http://web;", backend), "upstream-undefined")
    (other,) = fired(located("proxy_pass http://web;", backend), "pass-to-host")
    assert other.level == "warning"
    for line in (
        "proxy_pass http://web:8080;",
        "proxy_pass http://app_backnd.internal;",
        "proxy_pass http://app_backnd$uri;",
    ):
        assert not fired(located(line, backend), "upstream-undefined"), line
        assert not fired(located(line, backend), "pass-to-host"), line


def test_an_upstream_of_stream_is_none_of_http() -> None:
    text = "events { } stream { upstream app { server 127.0.0.1:1; } } http { server { location / { fastcgi_pass app; } } }"
    assert fired(text, "upstream-undefined")


def test_where_upstreams_may_hide_no_name_is_missing(tmp_path: Path) -> None:
    for hides in ("include /srv/upstreams.conf;", "include upstreams.conf;"):
        text = http(f"{hides} server {{ location / {{ proxy_pass http://ap; fastcgi_pass php; }} }}")
        assert nginx_folder(tmp_path, {"nginx.conf": text}) == [], hides
    assert names("nginx", "server { location / { fastcgi_pass php; proxy_pass http://web; } }") == []


def test_an_upstream_of_another_file_is_found(tmp_path: Path) -> None:
    main = "events { }\nhttp { include conf.d/*.conf; }\n"
    site = "server { location / { proxy_pass http://app; } }\n"
    assert nginx_folder(tmp_path, {"nginx.conf": main, "conf.d/z.conf": f"{OPEN}\n", "conf.d/a.conf": site}) == []
    (tmp_path / "conf.d/z.conf").unlink()
    assert nginx_folder(tmp_path, {"nginx.conf": main}) == [("conf.d/a.conf", 1, "pass-to-host")]


# --- unused


BOTH = "upstream app_blue { server 127.0.0.1:1; } upstream app_green { server 127.0.0.1:2; }"


def unused(text: str) -> set[str]:
    return {finding.message.split()[-1] for finding in fired(text, "upstream-unused")}


@pytest.mark.parametrize(
    ("line", "server", "left"),
    [
        ("proxy_pass http://app_blue;", "", {"app_green"}),
        ("proxy_pass http://APP_BLUE/x;", "", {"app_green"}),
        ("grpc_pass app_green;", "", {"app_blue"}),
        ("proxy_pass http://app_$cookie_slot;", "", set()),
        ("proxy_pass $scheme://app_green;", "", {"app_blue"}),
        ("proxy_pass http://old_$cookie_slot;", "", {"app_blue", "app_green"}),
        ("proxy_pass http://$arg_pool;", "", set()),
        ("proxy_pass http://$x;", "set $x app_blue;", {"app_green"}),
        ("proxy_pass http://${X};", "set $x app_blue; if ($arg_a) { set $x app_green; }", set()),
        ("proxy_pass $url;", "set $url http://app_blue;", {"app_green"}),
        ("proxy_pass http://app_$x;", "set $x blue;", {"app_green"}),
        ("proxy_pass http://$X;", "set $x app_blue;", {"app_green"}),
        ("proxy_pass http://$y;", "set $x green; set $y app_$x;", {"app_blue"}),
        ("proxy_pass http://$x;", "set $x $x;", set()),
        ("proxy_pass http://$1;", "", set()),
        ("proxy_pass http://$x;", "set $x app_blue; auth_request_set $x $upstream_http_x;", set()),
        ("proxy_pass http://$x;", 'set $x app_blue; if ($uri ~ "^/(?<x>.*)") { return 200; }', set()),
        ("redis_pass app_blue;", "", {"app_green"}),
        ("proxy_pass_header app_blue;", "", {"app_blue", "app_green"}),
        ("proxy_pass http://x/app_blue;", "", {"app_blue", "app_green"}),
    ],
)
def test_what_nothing_is_passed_to(line: str, server: str, left: set[str]) -> None:
    assert unused(located(line, BOTH, server)) == left


@pytest.mark.parametrize(
    ("table", "left"),
    [
        ("map $uri $p { default app_blue; /g app_green; }", set()),
        ("map $uri $p { default app_blue; }", {"app_green"}),
        ("map $uri $p { hostnames; default app_$q; } map $uri $q { default green; }", {"app_blue"}),
        ("split_clients $remote_addr $p { 10% app_green; * app_blue; }", set()),
        ("geo $p { default app_blue; 10.0.0.0/8 app_green; }", set()),
        ("geo $arg_x $p { default app_blue; }", {"app_green"}),
        ("js_import a.js; js_set $p a.f;", set()),
        ("map $uri $p { include /srv/map.conf; }", set()),
    ],
)
def test_tables_say_what_a_variable_can_be(table: str, left: set[str]) -> None:
    assert unused(http(f"{table} server {{ location / {{ proxy_pass http://$p; }} }}", BOTH)) == left


def test_a_variable_of_another_server_block_is_another() -> None:
    other = "server { set $x app_green; return 404; }"
    assert unused(http(f"{other} server {{ set $x app_blue; location / {{ proxy_pass http://$x; }} }}", BOTH)) == {
        "app_green"
    }


def test_lua_can_pass_to_anything() -> None:
    assert unused(located("content_by_lua_block { x() }", BOTH)) == set()


def test_where_a_pass_may_hide_nothing_is_unused(tmp_path: Path) -> None:
    for body in ("server { include /srv/a.conf; }", "server { location / { include a.conf; } }", "include sites/a.conf;"):
        assert nginx_folder(tmp_path, {"nginx.conf": http(body)}) == []
    streams = "stream { include /srv/a.conf; } "
    seen = nginx_folder(
        tmp_path, {"nginx.conf": streams + http("types { include /etc/mime.types; } map $a $b { include x; }")}
    )
    assert seen == [("nginx.conf", 1, "upstream-unused")]


@pytest.mark.parametrize("line", ["include mime.types;", "include /etc/nginx/mime.types;"])
def test_the_types_hide_nothing(line: str, tmp_path: Path) -> None:
    main = "include /usr/share/nginx/modules/*.conf;"
    text = http(f"{line} server {{ location / {{ set $x a.b; proxy_pass http://$x; }} }}", main=main)
    found = nginx_folder(tmp_path, {"nginx.conf": text})
    assert [rule for _, _, rule in found] == ["upstream-unused", "variable-without-resolver"]


def test_main_hides_no_second_http() -> None:
    text = http(
        "server { location / { proxy_pass http://ap; fastcgi_pass php; } }", main="include /usr/share/nginx/modules/*.conf;"
    )
    assert names("nginx", text) == ["upstream-unused", "pass-to-host", "upstream-undefined"]


def test_a_snippet_has_no_unused_upstream() -> None:
    assert names("nginx", OPEN) == []


# --- ports and schemes: fixes


def fixed(text: str, rule: str, *, fixes: int = 1) -> str:
    """The text with the fixes of that rule made; nothing of it may be left, nor anything new come."""
    before = in_config("nginx", text)
    found = [finding for finding in before if finding.rule == f"nginx/{rule}"]
    assert found
    assert sum(bool(finding.fixes) for finding in found) == fixes
    after = apply(text.encode(), [edit for finding in found for edit in finding.fixes]).decode()
    now = in_config("nginx", after)
    assert {f.rule for f in now} <= {f.rule for f in before} - ({f"nginx/{rule}"} if fixes == len(found) else set())
    return after


@pytest.mark.parametrize(
    ("address", "becomes"),
    [
        ("http://127.0.0.1:3001", "127.0.0.1:3001"),
        ("http://127.0.0.1:3001/", "127.0.0.1:3001"),
        ("HTTP://127.0.0.1", "127.0.0.1"),
        ("http://[::1]:3001", "[::1]:3001"),
        ("127.0.0.1:3001/", "127.0.0.1:3001"),
    ],
)
def test_a_scheme_can_go(address: str, becomes: str) -> None:
    text = (
        f"# http://127.0.0.1:3001\nupstream app {{\n\tserver  {address}  weight=2; # {address}\r\n\tserver 127.0.0.1:4;\n}}"
    )
    assert fixed(text, "server-address") == text.replace(f"  {address}  ", f"  {becomes}  ")


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1:3001",
        "grpc://a:1",
        "http://a/x",
        "http://a:0",
        "a/x",
        "http://:1",
        '"http://127.0.0.1:1"',
        "http://$x",
    ],
)
def test_what_must_be_decided_has_no_fix(address: str) -> None:
    found = fired(pool(f"server {address};"), "server-address")
    assert [finding.fixes for finding in found] == [()]


def test_a_scheme_of_https_belongs_to_the_pass() -> None:
    message = says(pool("server https://app.internal;"), "server-address")
    assert message == "an upstream has addresses only: write app.internal:443, and https:// in the pass"


def test_a_socket_has_no_scheme() -> None:
    assert says(pool("server http://unix:/run/app.sock;"), "server-address").endswith("write unix:/run/app.sock")


def test_a_port_on_a_pool_can_go_where_it_says_the_same() -> None:
    for line, becomes in [
        ("proxy_pass http://app:3001;", "proxy_pass http://app;"),
        ("proxy_pass http://App:3002/api/;", "proxy_pass http://App/api/;"),
        ("proxy_pass https://app:443;", "proxy_pass https://app;"),
        ("proxy_pass 'http://app:80/app:80';", ""),
        ("fastcgi_pass app:3001;", "fastcgi_pass app;"),
    ]:
        text = located(line)
        assert fixed(text, "port-on-pool", fixes=int(bool(becomes))) == text.replace(line, becomes or line)
    assert [finding.fixes for finding in fired(located("proxy_pass http://app:8080;"), "port-on-pool")] == [()]


def test_a_port_on_a_host_is_right() -> None:
    for line in ("proxy_pass http://app2:8080;", "proxy_pass http://app:$server_port;", "proxy_pass http://$x:80;"):
        assert not fired(located(line), "port-on-pool"), line


# --- the method behind keepalive


def test_keepalive_moves_below_the_method() -> None:
    head, tail = "upstream app {\n    server 127.0.0.1:1;\n", "    server 127.0.0.1:2;\n}\n"
    kept, rest = "    keepalive 8; # few\n", "    zone app 64k;\n    least_conn;\n"
    assert fixed(head + kept + rest + tail, "balancer-after-keepalive") == head + rest + kept + tail


def test_a_backup_stays_above_the_method() -> None:
    text = "upstream app {\r\n  server 127.0.0.1:1;\r\n  keepalive 8;\r\n  server 127.0.0.1:2 backup;\r\n  ip_hash;\r\n}\r\n"
    after = fixed(text, "balancer-after-keepalive")
    assert after.index("backup") < after.index("ip_hash") < after.index("keepalive")
    assert sorted(after.split("\r\n")) == sorted(text.split("\r\n"))


def test_one_line_is_for_a_person() -> None:
    (one,) = fired(pool("server 127.0.0.1:1; keepalive 8; random;"), "balancer-after-keepalive")
    assert one.fixes == ()
    assert not fired(pool("random; server 127.0.0.1:1; keepalive 8; keepalive_timeout 2s;"), "balancer-after-keepalive")
    assert not fired(pool("server 127.0.0.1:1; keepalive_timeout 2s; random;"), "balancer-after-keepalive")


# --- connections that are kept


KEPT = "upstream app { server 127.0.0.1:1; keepalive 8; }"


@pytest.mark.parametrize(
    ("line", "server", "missing"),
    [
        ("", "", "proxy_http_version 1.1 and proxy_set_header Connection"),
        ("proxy_http_version 1.1;", "", 'without proxy_set_header Connection ""'),
        ('proxy_set_header Connection "";', "", "without proxy_http_version 1.1"),
        ("proxy_http_version 1.0; proxy_set_header Connection '';", "", "without proxy_http_version 1.1"),
        ("proxy_http_version 1.1; proxy_set_header connection Close;", "", "Connection"),
        ("proxy_set_header Host $host;", 'proxy_http_version 1.1; proxy_set_header Connection "";', "Connection"),
        ("", 'proxy_http_version 1.1; proxy_set_header Connection "";', ""),
        ("proxy_set_header Connection '';", "proxy_http_version 1.1;", ""),
        ("proxy_http_version 1.1; proxy_set_header Connection $connection_upgrade;", "", ""),
        ("proxy_http_version 1.1; proxy_set_header Connection upgrade;", "", ""),
        ("proxy_set_header Connection keep-alive;", "", ""),
        ("proxy_http_version 2; proxy_set_header Connection '';", "", ""),
        ("include /srv/proxy_params;", "", ""),
    ],
)
def test_what_keeps_a_connection(line: str, server: str, missing: str) -> None:
    text = located(f"{line} proxy_pass http://app;", KEPT, server)
    assert missing in says(text, "keepalive-headers")
    assert bool(fired(text, "keepalive-headers")) == bool(missing)


def test_other_pools_and_passes_keep_none() -> None:
    assert not fired(located("proxy_pass http://app;"), "keepalive-headers")
    assert not fired(located("proxy_pass http://app:80;", KEPT), "keepalive-headers")
    assert not fired(located("grpc_pass app; fastcgi_pass app;", KEPT), "keepalive-headers")
    assert fired(located("set $x app; proxy_pass http://$x;", KEPT), "keepalive-headers")
    assert not fired(located("proxy_pass http://$arg_x;", KEPT), "keepalive-headers")
    text = f"{KEPT} server {{ location / {{ proxy_pass http://app; }} }}"
    assert not fired(text, "keepalive-headers")  # of a snippet it is not known what is around it


def test_fastcgi_is_asked_otherwise() -> None:
    assert fired(located("fastcgi_pass app;", KEPT), "fastcgi-keep-conn")
    assert fired(located("fastcgi_pass app; fastcgi_keep_conn off;", KEPT), "fastcgi-keep-conn")
    assert not fired(located("fastcgi_pass app;", KEPT, "fastcgi_keep_conn on;"), "fastcgi-keep-conn")
    assert not fired(located("fastcgi_pass app;"), "fastcgi-keep-conn")
    assert not fired(located("fastcgi_pass app; include /srv/x;", KEPT), "fastcgi-keep-conn")


# --- counters of workers


@pytest.mark.parametrize(
    ("main", "lines", "rules"),
    [
        ("worker_processes auto;", "least_conn;", ["no-zone"]),
        ("worker_processes 4;", "random two;", ["no-zone"]),
        ("worker_processes 4;", "random;", []),
        ("worker_processes ${WORKERS};", "least_conn;", []),
        ("worker_processes 4;", "", []),
        ("worker_processes 1;", "least_conn;", []),
        ("", "least_conn;", []),
        ("worker_processes 4;", "least_conn; zone app 64k;", []),
        ("worker_processes 4;", "server 127.0.0.1:9 max_conns=5;", ["max-conns-zone"]),
        ("worker_processes 4;", "server 127.0.0.1:9 max_conns=0;", []),
        ("worker_processes 4;", "zone app 64k; server 127.0.0.1:9 max_conns=5;", []),
        ("worker_processes 4;", "include /srv/x; least_conn;", []),
    ],
)
def test_a_zone_where_it_matters(main: str, lines: str, rules: list[str]) -> None:
    servers = "server 127.0.0.1:1; server 127.0.0.1:2;"
    text = http("server { location / { proxy_pass http://app; } }", pool(f"{lines} {servers}"), main)
    assert names("nginx", text) == rules


def test_one_server_needs_no_choice() -> None:
    assert not fired(
        http("", pool("least_conn; server 127.0.0.1:1; server 127.0.0.1:2 backup;"), "worker_processes 4;"), "no-zone"
    )
    assert not fired(pool("least_conn; server 127.0.0.1:1; server 127.0.0.1:2;"), "no-zone")


# --- names that are looked up


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("app.internal:3001", True),
        ("app", True),
        ("app.internal:3001 down", True),
        ("app.internal:3001 resolve", False),
        ("127.0.0.1:3001", False),
        ("[::1]:3001", False),
        ("unix:/run/app.sock", False),
        ("localhost:3001", False),
        ("${APP}", False),
    ],
)
def test_a_name_in_a_server_line(address: str, found: bool) -> None:
    assert bool(fired(pool(f"server {address};"), "host-lookup")) == found


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("set $x app.internal; proxy_pass http://$x;", "app.internal"),
        ("set $x localhost; proxy_pass http://$x:3001;", "localhost"),
        ("proxy_pass http://localhost:$server_port;", "localhost"),
        ("set $x app; proxy_pass http://$x:80;", "app"),  # no upstream has a port
        ("set $x 3001; proxy_pass http://$x;", "3001"),
        ("proxy_pass http://nosuch$request_uri;", "nosuch…"),
        ("proxy_pass http://old_$cookie_slot;", "old_…"),
        ("proxy_pass http://$x; set $x a.b; if ($arg_y) { set $x c.d; }", "a.b"),
        ("proxy_pass http://$nothing_known;", ""),
        ("proxy_pass http://$host;", ""),
        ("set $x app; proxy_pass http://$x;", ""),
        ("set $x APP; proxy_pass http://$x/a;", ""),
        ("set $x 127.0.0.1; proxy_pass http://$x:3001;", ""),
        ("set $x [::1]; proxy_pass http://$x;", ""),
        ("set $x unix:/run/a; proxy_pass http://$x;", ""),
        ("proxy_pass http://unix:/run/$arg_x;", ""),
        ("proxy_pass http://127.0.0.1:$server_port;", ""),
        ("proxy_pass http://10.0.0.$arg_x;", ""),
        ("proxy_pass http://app$request_uri;", ""),
        ("proxy_pass http://ap$arg_x;", ""),
        ("resolver 10.0.0.2; set $x a.b; proxy_pass http://$x;", ""),
        ("set $x a.b; if ($arg_y) { set $x app; } proxy_pass http://$x;", ""),
        ('set $x ""; proxy_pass http://$x;', ""),
        ("set $x a.b; proxy_pass http://$x; location /y { proxy_pass http://a.b; }", ""),  # looked up at the start
        ("set $x a.b; proxy_pass http://$x; include /srv/x;", ""),
        ("set $x a.b; proxy_pass http://$x; } location /y { include /srv/x;", ""),
        ("set $x a.b; proxy_pass http://$x; dyups_interface;", ""),
        ("set $x a.b; set_by_lua_block $x { return 1 } proxy_pass http://$x;", ""),
    ],
)
def test_a_variable_needs_a_resolver(line: str, host: str) -> None:
    found = says(located(line), "variable-without-resolver")
    assert found == (f"there is no resolver for {host}: each request that goes there gets 502" if host else "")


@pytest.mark.parametrize(
    ("server_name", "line", "found"),
    [
        ("a.example.com b.example.com", "proxy_pass http://$host;", True),
        ("a.example.com", "proxy_pass http://$http_host$uri;", True),
        ("a.example.com", "proxy_pass http://$hostname;", False),
        ("a.example.com 10.0.0.5", "proxy_pass http://$host:8080;", False),
        ("_", "proxy_pass http://$host;", False),
        ("*.example.com", "proxy_pass http://$host;", False),
        ("~^(.+)$", "proxy_pass http://$host;", False),
        ("app", "proxy_pass http://$host;", False),
        ("app", "proxy_pass http://$host:80;", False),  # who asks for it may well use the address
        ("localhost", "proxy_pass http://$host:8080;", False),
        ("app.shop", "proxy_pass http://$host;", False),
        ("app.shop", "proxy_pass http://$host$request_uri;", False),
        ("app.shop", "proxy_pass http://$host:80;", True),
    ],
)
def test_the_name_of_the_server_is_a_host_too(server_name: str, line: str, found: bool) -> None:
    text = located(line, OPEN + "upstream app.shop { server 127.0.0.1:1; }", f"server_name {server_name};")
    assert bool(fired(text, "variable-without-resolver")) == found


def test_the_resolver_may_stand_anywhere_around() -> None:
    line = "set $x a.b; proxy_pass http://$x;"
    assert not fired(located(line, server="resolver 10.0.0.2;"), "variable-without-resolver")
    assert not fired(located(line, OPEN + "resolver 10.0.0.2;"), "variable-without-resolver")
    assert not fired(located(line, OPEN + "include /srv/x;"), "variable-without-resolver")
    assert not fired(f"server {{ location / {{ {line} }} }}", "variable-without-resolver")


# --- the others


def test_one_server() -> None:
    assert fired(pool("server 127.0.0.1:1;"), "single-server")
    assert fired(pool("server localhost:1;"), "single-server")
    second = ("server 127.0.0.1:1; server 127.0.0.1:2 backup;", "server 127.0.0.1:1; server 127.0.0.1:2 down;")
    for lines in ("server app.internal:1;", "server a resolve;", *second):
        assert not fired(pool(lines), "single-server"), lines


def test_what_is_sent_again() -> None:
    for name in ("proxy", "grpc", "fastcgi", "uwsgi", "scgi"):
        (one,) = fired(f"location / {{ {name}_next_upstream error non_idempotent; }}", "non-idempotent")
        assert one.column == 35 + len(name)
    for line in (
        "proxy_next_upstream off;",
        "proxy_next_upstream error timeout;",
        "# proxy_next_upstream non_idempotent;\n",
    ):
        assert not fired(f"location / {{ {line} }}", "non-idempotent")


@pytest.mark.parametrize(
    "lines", ["server;", "server", "server ;server 127.0.0.1:1", "keepalive;", "hash; server 127.0.0.1:1;"]
)
def test_what_is_cut_off_raises_nothing(lines: str) -> None:
    in_config("nginx", pool(lines))
    in_config(
        "nginx",
        f"{pool(lines)} set $x; set; map a {{ x; }} map {{ y z; }} server {{ location / {{ proxy_pass; proxy_pass $x; }} }}",
    )


# --- size


def many(count: int) -> str:
    servers = "".join(f"server 10.{n >> 16}.{n >> 8 & 255}.{n & 255}:3001 weight=2 max_fails=3;\n" for n in range(count))
    return http("server { location / { proxy_pass http://app; } }", pool(f"zone app 1m;\n{servers}"), "worker_processes 4;")


def sites(count: int) -> str:
    def site(n: int) -> str:
        passes = f"location / {{ proxy_pass http://a{n}; }} location /v {{ proxy_pass http://$v; }}"
        other = f"location /x {{ fastcgi_pass b{n}; }}"
        return f"upstream a{n} {{ server 10.0.0.1:{n + 1}; keepalive 4; }} server {{ set $v a{n}; {passes} {other} }}\n"

    table = "".join(f"/{n} a{n};" for n in range(count))
    return http(
        "".join(map(site, range(count))) + f"map $uri $m {{ {table} }} server {{ location / {{ proxy_pass http://$m; }} }}",
        "",
    )


def least(work: Callable[[], object], times: int = 5) -> float:
    def once() -> float:
        begun = time.process_time()
        work()
        return time.process_time() - begun

    gc.collect()
    gc.disable()  # how often it runs depends on what other tests have left
    try:
        return min(once() for _ in range(times))
    finally:
        gc.enable()


def judged(folder: Path, text: str) -> tuple[float, float]:
    """What lint costs, and what reading the same file for a switch costs."""
    path = folder / "nginx.conf"
    path.write_text(text)
    source = Source(str(path), path.read_bytes())
    lint = least(lambda: run.findings([source], Options()))
    return lint, least(lambda: pools.upstreams(chain.load(str(path))))


def test_ten_thousand_servers_cost_no_more_than_three_times_the_reading(tmp_path: Path) -> None:
    assert names("nginx", many(300)) == []
    lint, reading = judged(tmp_path, many(10_000))
    assert lint < 3 * reading


def test_the_cost_grows_with_the_size(tmp_path: Path) -> None:
    (few, _), (lots, _) = judged(tmp_path, sites(150)), judged(tmp_path, sites(1500))
    assert lots < 15 * few
