"""Names that two blocks share, includes, headers, websockets, and what is open: what fires, and above all what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyswitch.lint.nginx import listens, websockets
from tests.lint.helpers import in_config, names, nginx_folder
from tests.nginx_check import Nginx


@pytest.fixture(scope="module")
def nginx(nginx_binary: str, nginx_globals: str) -> Nginx:
    return Nginx(nginx_binary, nginx_globals)


def whole(text: str) -> str:
    return f"pid p;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{text}\n}}\n"


def fires(rule: str, text: str) -> int:
    """How often a rule fires."""
    return names("nginx", text, ignore=()).count(rule)


def lines(rule: str, text: str) -> list[int]:
    return [f.line for f in in_config("nginx", text) if f.rule == f"nginx/{rule}"]


# --- one name twice: what nginx says is the measure

ONE, TWO = "server {{ listen 18080; server_name {}; }}", "server {{ listen {}; server_name {}; }}"
CONFLICTS = [
    ("duplicate-server-name", ONE.format("a.b") + TWO.format("18080", "a.b")),
    ("duplicate-server-name", ONE.format("a.b") + TWO.format("*:18080", "x A.B")),
    ("duplicate-server-name", ONE.format("a.b") + TWO.format("0.0.0.0:18080", "a.b")),
    ("duplicate-server-name", ONE.format(".a.b") + TWO.format("18080", "a.b")),
    ("duplicate-server-name", ONE.format(".a.b") + TWO.format("18080", "*.a.b")),
    ("duplicate-server-name", ONE.format("*.a.b") + TWO.format("18080", ".a.b")),
    ("duplicate-server-name", ONE.format("a.b") + TWO.format("18080", ".a.b")),
    ("duplicate-server-name", ONE.format("www.*") + TWO.format("18080", "WWW.*")),
    ("duplicate-server-name", ONE.format("_") + TWO.format("18080", "_")),
    ("duplicate-server-name", ONE.format("$hostname") + TWO.format("18080", "$hostname")),
    ("duplicate-server-name", ONE.format('""') + "server { listen 18080; }"),
    ("duplicate-server-name", "server { listen 18080; } server { listen 18080; }"),
    ("duplicate-server-name", ONE.format("a") + "server { listen 18081; listen 18080; server_name a; }"),
    ("duplicate-server-name", TWO.format("18080-18082", "a") + TWO.format("18081", "a")),
    ("duplicate-server-name", TWO.format("127.0.0.1", "a") + TWO.format("127.0.0.1:80", "a")),
    ("duplicate-server-name", TWO.format("[::]:18080", "a") + TWO.format("[0:0::0]:18080", "a")),
    ("duplicate-server-name", TWO.format("unix:/tmp/a.sock", "a") + TWO.format("unix:/tmp/a.sock", "a")),
    ("duplicate-default-server", TWO.format("18080 default_server", "a") + TWO.format("*:18080 default", "b")),
    (
        "duplicate-default-server",
        TWO.format("[::]:18080 default_server", "a") + TWO.format("[::0]:18080 default_server", "b"),
    ),
    ("duplicate-upstream", "upstream a { server 127.0.0.1:1; } upstream a { server 127.0.0.1:2; }"),
    ("duplicate-upstream", "upstream a { server 127.0.0.1:1; } upstream A { server 127.0.0.1:2; }"),
]
HARMLESS = [
    ONE.format("a") + TWO.format("18081", "a"),
    ONE.format("a") + TWO.format("127.0.0.1:18080", "a"),
    ONE.format("a") + TWO.format("[::]:18080", "a"),
    ONE.format("a") + TWO.format("18080", "www.a"),
    ONE.format("*.a.b") + TWO.format("18080", "a.b"),
    ONE.format("*.a.b") + TWO.format("18080", "x.a.b"),
    ONE.format("www.*") + TWO.format("18080", "www.a"),
    ONE.format("~^a$") + TWO.format("18080", "~^a$"),
    ONE.format("a") + "server { listen 18080; }",
    ONE.format("a a"),
    ONE.format("a") + "server { server_name a; }",
    "server { listen 18080; listen [::]:18080; listen 127.0.0.1:18080; server_name a; }",
    TWO.format("18080 default_server", "a") + TWO.format("18081 default_server", "a"),
    "server { listen 18080 default_server; listen [::]:18080 default_server; }",
    "upstream a { server 127.0.0.1:1; } upstream a2 { server 127.0.0.1:1; }",
]
DUPLICATES = ("duplicate-server-name", "duplicate-default-server", "duplicate-upstream")


@pytest.mark.parametrize(("rule", "text"), CONFLICTS)
def test_what_two_blocks_share_is_told_by_nginx_too(rule: str, text: str, tmp_path: Path, nginx: Nginx) -> None:
    found = nginx_folder(tmp_path, {"nginx.conf": whole(text)})
    assert [name for _, _, name in found if name in DUPLICATES] == [rule]
    done = nginx.test(tmp_path / "nginx.conf")
    said = b"conflicting server name" if rule == "duplicate-server-name" else b"duplicate "
    assert said in done.stderr
    assert done.returncode == (rule != "duplicate-server-name")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_two_blocks_do_not_share_is_not_told(text: str, tmp_path: Path, nginx: Nginx) -> None:
    found = nginx_folder(tmp_path, {"nginx.conf": whole(text)})
    assert [name for _, _, name in found if name in DUPLICATES] == []
    done = nginx.test(tmp_path / "nginx.conf")
    assert (done.returncode, b"conflicting" in done.stderr) == (0, False), done.stderr


def test_a_server_without_a_listen_listens_on_80() -> None:
    assert fires("duplicate-server-name", whole("server { server_name a; }\nserver { listen 80; server_name a; }")) == 1
    hidden = "server { include /etc/listens; server_name a; }\nserver { listen 80; server_name a; }"
    assert fires("duplicate-server-name", whole(hidden)) == 0
    hidden = "server { listen 80; include /etc/names; }\nserver { listen 80; }"
    assert fires("duplicate-server-name", whole(hidden)) == 0


def test_http_and_stream_and_quic_are_apart() -> None:
    text = "http { upstream a { server b:1; } server { listen 80 default_server; server_name a; } }\n"
    both = "events {}\n" + text + text.replace("http {", "stream {")
    assert [name for name in names("nginx", both) if name in DUPLICATES] == []
    quic = (
        "server { listen 443 ssl default_server; server_name a; }\nserver { listen 443 quic default_server; server_name a; }"
    )
    assert [name for name in names("nginx", whole(quic)) if name in DUPLICATES] == []
    for other in ("mail", "rtmp", "upstream a"):
        text = f"events {{}}\n{other} {{\nserver {{ listen 25; }}\nserver {{ listen 25; }}\n}}\n"
        assert fires("duplicate-server-name", text) == 0


def test_duplicates_are_found_over_files(tmp_path: Path) -> None:
    site = "upstream app { server 127.0.0.1:1; }\nserver { listen 80 default_server; server_name a; }\n"
    files = {
        "nginx.conf": "events {}\nhttp {\ninclude sites/*;\n}\n",
        "sites/a": site,
        "sites/a.bak": site,
    }
    found = nginx_folder(tmp_path, files)
    assert {f for f in found if f[2] in (*DUPLICATES, "backup-included")} == {
        ("nginx.conf", 3, "backup-included"),
        ("sites/a.bak", 1, "duplicate-upstream"),
        ("sites/a.bak", 2, "duplicate-default-server"),
        ("sites/a.bak", 2, "duplicate-server-name"),
    }


def test_a_file_that_is_included_twice_says_so(tmp_path: Path) -> None:
    (tmp_path / "up.conf").write_text("upstream app { server 127.0.0.1:1; }\n")
    main = str(tmp_path / "nginx.conf")
    text = "events {}\nhttp { include up.conf; include up*.conf; }\n"
    (one,) = [f for f in in_config("nginx", text, main) if f.rule == "nginx/duplicate-upstream"]
    assert one.message == "there is an upstream app already: this file is included twice"


def test_a_snippet_with_one_name_twice() -> None:
    assert lines("duplicate-upstream", "upstream a { server b:1; }\nupstream a { server b:2; }\n") == [2]
    assert lines("duplicate-server-name", "server { listen 80; }\nserver { listen 80; }\n") == [2]


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("80", ("*:80",)),
        ("*", ("*:80",)),
        ("0.0.0.0", ("*:80",)),
        ("localhost:8080", ("localhost:8080",)),
        ("10.0.0.1", ("10.0.0.1:80",)),
        ("[::1]", ("[::1]:80",)),
        ("[0:0::1]:443", ("[::1]:443",)),
        ("8000-8002", ("*:8000", "*:8001", "*:8002")),
        ("8002-8000", ("*:8002-8000",)),
        ("1-65535", ("*:1-65535",)),
        ("unix:/a:b", ("unix:/a:b",)),
        ("[not]", ("[not]:80",)),
        ("$port", ("$port:80",)),
        ("", ("*:80",)),
    ],
)
def test_addresses_are_written_in_one_way(text: str, is_: tuple[str, ...]) -> None:
    assert listens.addresses(text) == is_


# --- includes


def test_an_include_of_nothing(tmp_path: Path) -> None:
    files = {
        "nginx.conf": """events {}
http {
    include missing.conf;
    include typo/*.conf;
    include snippets/*.cnf;
    include conf.d/*.conf;
    include empty/*;
    include /somewhere/else/*.conf;
    include ../above.conf;
    include snippets/a.conf;
    server { include snippets/none.conf; }
    include http.d/*.cnf;
    include ${DIR}/a.conf;
    include @dir@/*.conf;
}
""",
        "snippets/a.conf": "",
        "http.d/a.conf": "",
    }
    (tmp_path / "empty").mkdir()
    found = [line for _, line, name in nginx_folder(tmp_path, files) if name == "include-nothing"]
    assert found == [3, 4, 5, 7, 11, 12]


def test_the_includes_of_a_snippet_are_not_looked_into() -> None:
    assert fires("include-nothing", "server { include no/such/file; include none/*; }\n") == 0


BACKUPS = ["a~", "#a#", "a.bak", "a.conf.orig", "a.rej", "a.save", "a.save.1", "a.swp", "a.old", "a.tmp", "a.dpkg-old"]
BACKUPS += ["a.conf.dpkg-dist", "a.ucf-dist", "a.rpmsave", "a.conf.20240131", "a.conf-2024-01-31", "a.bak.conf", "A.BAK"]


@pytest.mark.parametrize("name", BACKUPS)
def test_a_backup_that_a_pattern_takes_in(name: str, tmp_path: Path) -> None:
    files = {"nginx.conf": whole("include sites/*;"), "sites/a.conf": "", f"sites/{name}": ""}
    assert ("nginx.conf", 6, "backup-included") in nginx_folder(tmp_path, files)


@pytest.mark.parametrize(
    "name", ["shop", "old", "bak", "backup.conf", "tmp.conf", "a.old.example.com", ".a.swp", "a.conf.d", "2024.conf"]
)
def test_what_is_no_backup(name: str, tmp_path: Path) -> None:
    files = {"nginx.conf": whole("include sites/*;"), f"sites/{name}": "", "sites/z": ""}
    assert "backup-included" not in [found for _, _, found in nginx_folder(tmp_path, files)]


def test_a_backup_that_is_included_by_name_is_meant(tmp_path: Path) -> None:
    files = {"nginx.conf": whole("include a.bak;\ninclude conf.d/*.conf;"), "a.bak": "", "conf.d/b.bak": ""}
    assert "backup-included" not in [found for _, _, found in nginx_folder(tmp_path, files)]


# --- headers that a block loses

OUTER = "proxy_set_header Host $host;\nproxy_set_header X-Real-IP $remote_addr;\nproxy_set_header X-Note a;\n"
APP = "proxy_pass http://app;\n"


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        (f"server {{\n{OUTER}location / {{\nproxy_set_header A b;\n{APP}}}\n}}\n", [6]),
        (f"server {{\n{OUTER}location / {{\nproxy_set_header A b;\nproxy_pass http://127.0.0.1:1;\n}}\n}}\n", [6]),
        (f"server {{\n{OUTER}location / {{\nproxy_set_header A b;\nproxy_pass http://$app;\n}}\n}}\n", [6]),
        (f"server {{\n{OUTER}location / {{\nproxy_set_header A b;\nif ($a) {{\n{APP}}}\n}}\n}}\n", [6]),
        (f"{OUTER}server {{\nproxy_set_header A b;\nlocation / {{\n{APP}}}\nlocation /a {{\n{APP}}}\n}}\n", [5]),
        (f"server {{\n{OUTER}location / {{\n{APP}}}\n}}\n", []),
        (f"server {{\n{OUTER}location / {{\nproxy_set_header A b;\nreturn 200;\n}}\n}}\n", []),
        (f"server {{\n{OUTER}location / {{\nproxy_set_header A b;\nproxy_set_header host a;\n{APP}}}\n}}\n", []),
        (f"server {{\n{OUTER}location / {{\nproxy_set_header A b;\ninclude proxy_params;\n{APP}}}\n}}\n", []),
        (whole(f"{OUTER}server {{\ninclude /etc/a;\nlocation / {{\nproxy_set_header A b;\n{APP}}}\n}}\n"), []),
        (f"server {{\n{OUTER}location / {{\nproxy_set_header A b;\nproxy_pass https://api.example.com;\n}}\n}}\n", []),
        (f"server {{\n{OUTER}location / {{\nproxy_set_header A b;\nfastcgi_pass app;\n}}\n}}\n", []),
        (f"server {{\nproxy_set_header A b;\nlocation / {{\nproxy_set_header B c;\n{APP}}}\n}}\n", []),
        (f"server {{\n{OUTER}location / {{\ngrpc_set_header A b;\n{APP}}}\n}}\n", []),
        ("server {\ngrpc_set_header Host a;\nlocation / {\ngrpc_set_header A b;\ngrpc_pass app;\n}\n}\n", [4]),
        ("server {\nfastcgi_param SCRIPT_FILENAME a;\nlocation / {\nfastcgi_param A b;\nfastcgi_pass a;\n}\n}\n", [4]),
        ("server {\nfastcgi_param OTHER a;\nlocation / {\nfastcgi_param A b;\nfastcgi_pass a;\n}\n}\n", []),
    ],
)
def test_headers_for_the_application(text: str, is_: list[int]) -> None:
    assert lines("header-inheritance-lost", text) == is_


def test_the_lost_headers_are_named() -> None:
    (one,) = in_config("nginx", f"server {{\n{OUTER}location / {{\nproxy_set_header A b;\n{APP}}}\n}}\n")
    assert one.message == "proxy_set_header here hides those around it: Host, X-Real-IP are lost"


HSTS = "add_header Strict-Transport-Security a always;\n"


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        (f"server {{\n{HSTS}location / {{\nadd_header A b;\n}}\n}}\n", [4]),
        (f"{HSTS}server {{\nlocation / {{\nadd_header A b;\n}}\n}}\n", [4]),
        (f"server {{\n{HSTS}location / {{\nadd_header A b;\nadd_header x-frame-options c;\n}}\n}}\n", []),
        (f"server {{\n{HSTS}location / {{\nif ($request_method = OPTIONS) {{\nadd_header A b;\n}}\n}}\n}}\n", []),
        (f"server {{\n{HSTS}location / {{\nadd_header A b;\ninclude headers.conf;\n}}\n}}\n", []),
        (f"server {{\n{HSTS}add_header_inherit merge;\nlocation / {{\nadd_header A b;\n}}\n}}\n", []),
        (f"server {{\n{HSTS}add_header_inherit off;\nlocation / {{\nadd_header A b;\n}}\n}}\n", [5]),
        ("server {\nadd_header A b;\nlocation / {\nadd_header C d;\n}\n}\n", []),
        (f"server {{\n{HSTS}location / {{\nexpires 1d;\n}}\n}}\n", []),
    ],
)
def test_headers_for_the_browser(text: str, is_: list[int]) -> None:
    assert lines("header-inheritance-lost", text) == is_


# --- old workers

PROXY = "server { location / { proxy_pass http://127.0.0.1:1; } }"


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        (whole(PROXY), 1),
        ("worker_shutdown_timeout 1h;\n" + whole(PROXY), 0),
        ("include /etc/nginx/main.conf;\n" + whole(PROXY), 0),
        (whole("server { return 200; }"), 0),
        ("events {}\nstream { server { listen 1; proxy_pass a:1; } }\n", 0),
        (PROXY, 0),
        (whole(PROXY.replace("proxy_pass http://127.0.0.1:1", "fastcgi_pass 127.0.0.1:1")), 1),
    ],
)
def test_old_workers_that_stay(text: str, is_: int) -> None:
    assert fires("no-worker-shutdown-timeout", text) == is_


# --- websockets

UPGRADE, CONNECTION = "proxy_set_header Upgrade $http_upgrade;\n", 'proxy_set_header Connection "upgrade";\n'
VERSION, PASS = "proxy_http_version 1.1;\n", "proxy_pass http://127.0.0.1:1;\n"


def location(text: str, path: str = "/live", around: str = "") -> str:
    return whole(f"{around}server {{ location {path} {{\n{text}{PASS}}} }}")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (location(UPGRADE + CONNECTION + VERSION), ""),
        (location(UPGRADE + CONNECTION.replace('"upgrade"', "$a") + VERSION), ""),
        (location(UPGRADE + CONNECTION.replace('"upgrade"', '"keep-alive, Upgrade"') + VERSION), ""),
        (location(UPGRADE + VERSION), 'proxy_set_header Connection "upgrade"'),
        (location(UPGRADE + 'proxy_set_header Connection "";\n' + VERSION), 'proxy_set_header Connection "upgrade"'),
        (location(CONNECTION + VERSION), "proxy_set_header Upgrade $http_upgrade"),
        (location(UPGRADE + CONNECTION), "proxy_http_version 1.1"),
        (location(UPGRADE + CONNECTION + "proxy_http_version 1.0;\n"), "proxy_http_version 1.1"),
        (location("", "/ws"), 'Upgrade $http_upgrade and proxy_set_header Connection "upgrade" and proxy_http_version 1.1'),
        (location("", "/a/socket.io/"), "proxy_http_version 1.1"),
        (location(VERSION, "= /WebSocket"), 'proxy_set_header Connection "upgrade"'),
        (location("", "/news"), ""),
        (location("", "/ws-docs"), ""),
        (location("", "/aws"), ""),
        (location("", "~ ^/ws/(a|b)"), ""),
        (location('proxy_set_header Connection "";\n'), ""),
        (location('proxy_set_header Connection "";\nproxy_set_header Upgrade "";\n' + VERSION), ""),
        (location("", "/ws", UPGRADE + CONNECTION + VERSION), ""),
        (location(VERSION, "/", UPGRADE + CONNECTION), ""),
        (location("include a.conf;\n", "/ws").replace("a.conf", "/etc/a.conf"), ""),
        (location(UPGRADE + "include /etc/a.conf;\n"), ""),
        (location(UPGRADE + CONNECTION, around="include /etc/a.conf;\n"), ""),
        (f"location /ws {{ {PASS}}}\n", ""),
        (f"location / {{ {UPGRADE}{CONNECTION}{PASS}}}\n", ""),
        (f"location / {{ {UPGRADE}{VERSION}{PASS}}}\n", 'proxy_set_header Connection "upgrade"'),
        (whole("server { location /ws { root /a; } }"), ""),
        (whole("server { location /ws { grpc_pass 127.0.0.1:1; } }"), ""),
    ],
)
def test_the_three_lines_of_a_websocket(text: str, missing: str) -> None:
    found = [f.message for f in in_config("nginx", text) if f.rule == "nginx/websocket-headers"]
    assert len(found) == bool(missing)
    assert missing in "".join(found)


ALL = UPGRADE + CONNECTION + VERSION


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        (location(ALL), 1),
        (location(ALL + "proxy_read_timeout 60;\n"), 1),
        (location(ALL + "proxy_read_timeout 4m59s;\n"), 1),
        (location(ALL + "proxy_read_timeout 299000ms;\n"), 1),
        (location(ALL + "proxy_read_timeout 5m;\n"), 0),
        (location(ALL + "proxy_read_timeout 86400;\n"), 0),
        (location(ALL + 'proxy_read_timeout "1h 30m";\n'), 0),
        (location(ALL + "proxy_read_timeout oops;\n"), 0),
        (location(ALL, around="proxy_read_timeout 1h;\n"), 0),
        (location(ALL, around="include /etc/a.conf;\n"), 0),
        (location("proxy_read_timeout 10s;\n"), 0),
        (location("", "/ws"), 0),
        (f"location /ws {{ {ALL}{PASS}}}\n", 0),
        (f"location /ws {{ {ALL}{PASS}proxy_read_timeout 30s;\n}}\n", 1),
    ],
)
def test_how_long_a_websocket_may_be_quiet(text: str, is_: int) -> None:
    assert fires("websocket-timeout", text) == is_


def test_times_as_nginx_writes_them() -> None:
    times = {"60": 60, "1m": 60, "1h30m": 5400, "1d": 86400, "500ms": 0.5, "1M": 2592000, "": None, "x": None, "1q": None}
    assert {text: websockets.seconds(text) for text in times} == times


# --- what is open

STATUS = "location = /s { stub_status; }"


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        (f"server {{ listen 80; {STATUS} }}", 1),
        (f"server {{ {STATUS} }}", 1),
        (f"server {{ listen [::]:80; listen 127.0.0.1:80; {STATUS} }}", 1),
        (f"server {{ listen 8.8.8.8:80; {STATUS} }}", 1),
        ("server { location /s { stub_status; allow 10.0.0.0/8; } }", 1),
        ("server { location /s { stub_status; auth_basic off; } }", 1),
        ("server { location /dav { dav_methods PUT DELETE; } }", 1),
        ("server { location /api { api write=on; } }", 1),
        ("server { location /dav { dav_methods off; } }", 0),
        (f"server {{ listen 127.0.0.1:80; listen [::1]:80; listen unix:/a; {STATUS} }}", 0),
        (f"server {{ listen 10.1.2.3:80; {STATUS} }}", 0),
        (f"server {{ listen localhost:80; {STATUS} }}", 0),
        ("server { location /s { stub_status; allow 10.0.0.0/8; deny all; } }", 0),
        (f"server {{ deny all; {STATUS} }}", 0),
        (f"deny all; server {{ {STATUS} }}", 0),
        (f"auth_basic a; server {{ {STATUS} }}", 0),
        ("server { location /s { stub_status; auth_request /a; } }", 0),
        ("server { location /s { stub_status; internal; } }", 0),
        ("server { location /s { if ($a) { return 403; } stub_status; } }", 0),
        ("server { location /s { stub_status; include /etc/allow; } }", 0),
        ("server { location /s { stub_status; access_by_lua_block { x() } } }", 0),
        ("server { location /dav { dav_methods PUT; limit_except GET { deny all; } } }", 0),
    ],
)
def test_a_page_of_state_that_is_open(text: str, is_: int) -> None:
    assert fires("status-open", whole(text)) == is_
    assert fires("status-open", text) == 0


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        (whole("server { listen 80; }"), 1),
        (whole("server_tokens on; server { listen 80; }"), 1),
        (whole("server_tokens off; server { server_tokens on; }"), 1),
        (whole("server_tokens off; server { listen 80; }"), 0),
        (whole("server_tokens build; server { listen 80; }"), 0),
        (whole("server { server_tokens off; }"), 0),
        (whole("more_clear_headers Server; server { listen 80; }"), 0),
        (whole("include /etc/nginx/conf.d/*.conf; server { listen 80; }"), 0),
        ("server { listen 80; }", 0),
        ("events {}\nstream { server { listen 80; } }", 0),
    ],
)
def test_the_version(text: str, is_: int) -> None:
    assert fires("server-tokens", text) == is_


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("location /img { alias /data/img/; }", 1),
        ("location ^~ /img { alias /data/img/; }", 1),
        ("location /a/ { location /a/img { alias /data/$x/; } }", 1),
        ("location /img/ { alias /data/img/; }", 0),
        ("location /img { alias /data/img; }", 0),
        ("location = /img { alias /data/img/; }", 0),
        ("location ~ /img { alias /data/img/; }", 0),
        ("location ~* ^/img { alias /data/img/; }", 0),
        ("location =/img { alias /data/img/; }", 0),
        ("location @img { alias /data/img/; }", 0),
        ("location / { alias /data/; }", 0),
        ("location /img { root /data/; }", 0),
    ],
)
def test_a_way_out_of_a_folder(text: str, is_: int) -> None:
    assert fires("alias-traversal", text) == is_


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("location / { proxy_set_header Host $http_host; }", 1),
        ("location / { proxy_set_header host ${http_host}; }", 1),
        ("location / { proxy_set_header X-Forwarded-Host $http_host; }", 1),
        ("server { return 301 https://$http_host$request_uri; }", 1),
        ("server { rewrite ^ https://$http_host/a permanent; }", 1),
        ("location / { proxy_set_header Host $host; }", 0),
        ("location / { proxy_set_header X-Old $http_host; }", 0),
        ("server { return 301 https://$host$request_uri; }", 0),
        ('server { return 200 "$http_host"; }', 0),
        ("server { return 301 /a?host=$http_host; }", 0),
    ],
)
def test_a_host_as_the_client_wrote_it(text: str, is_: int) -> None:
    assert fires("host-spoofing", text) == is_
