"""Directives that are unknown, misplaced or incomplete: in all that lint calls an error, the real nginx sees one too."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from proxyswitch.lint import run
from proxyswitch.lint.finding import Source
from proxyswitch.lint.nginx import directives, modules, more_directives
from proxyswitch.lint.options import Options
from tests.conftest import FIXTURES, not_here
from tests.lint.helpers import in_config, names, nginx_folder
from tests.nginx_check import Nginx

RULES = ("argument-count", "directive-not-allowed", "missing-semicolon", "unknown-directive")


@pytest.fixture(scope="module")
def nginx(nginx_binary: str, nginx_globals: str) -> Nginx:
    return Nginx(nginx_binary, nginx_globals)


def whole(text: str) -> str:
    """The text in the http block of a config."""
    return f"pid p;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{text}\n}}\n"


def in_server(text: str) -> str:
    return whole(f"server {{\nlisten 18080;\n{text}\n}}")


def in_location(text: str) -> str:
    return in_server(f"location / {{\n{text}\n}}")


def in_stream(text: str) -> str:
    return f"pid p;\nerror_log stderr;\nevents {{}}\nstream {{\nserver {{\nlisten 18080;\n{text}\n}}\n}}\n"


REFUSED: list[tuple[str, str]] = [
    ("unknown-directive", in_location("proxy_pas http://127.0.0.1:1;")),
    ("unknown-directive", in_location("Proxy_Pass http://127.0.0.1:1;")),
    ("unknown-directive", in_location("proxy-pass http://127.0.0.1:1;")),
    ("unknown-directive", in_location("proxy_set_header Forwarded for=$remote_addr; proto=$scheme;")),
    ("unknown-directive", in_server("servername a;")),
    ("unknown-directive", in_server("locaton / { }")),
    ("unknown-directive", in_server("lisetn 18081;")),
    ("unknown-directive", whole("upstrem a { server 127.0.0.1:1; }")),
    ("unknown-directive", whole("upstream a { sever 127.0.0.1:1; }")),
    ("unknown-directive", "worker_proceses 1;\n" + whole("")),
    ("unknown-directive", in_stream("proxy_pas 127.0.0.1:1;")),
    ("directive-not-allowed", in_server("proxy_pass http://127.0.0.1:1;")),
    ("directive-not-allowed", in_server('if ($uri = "/a") { proxy_pass http://127.0.0.1:1; }')),
    ("directive-not-allowed", in_server('if ($uri = "/a") { add_header X y; }')),
    ("directive-not-allowed", in_location('if ($uri = "/a") { proxy_set_header X y; }')),
    ("directive-not-allowed", in_location("listen 18081;")),
    ("directive-not-allowed", in_location("server_name a;")),
    ("directive-not-allowed", in_location("upstream a { server 127.0.0.1:1; }")),
    ("directive-not-allowed", in_location("worker_processes 1;")),
    ("directive-not-allowed", in_location("limit_except GET { return 403; }")),
    ("directive-not-allowed", in_server("location /a;")),
    ("directive-not-allowed", in_server("return 200 { }")),
    ("directive-not-allowed", whole("location / { }")),
    ("directive-not-allowed", whole("upstream a;")),
    ("directive-not-allowed", whole("worker_connections 1;")),
    ("directive-not-allowed", whole("upstream a { server 127.0.0.1:1; least_conn { } }")),
    ("directive-not-allowed", "server { listen 18080; }\n" + whole("")),
    ("directive-not-allowed", in_stream("location / { }")),
    ("directive-not-allowed", in_stream("root /a;")),
    ("argument-count", in_location("proxy_pass;")),
    ("argument-count", in_location("proxy_pass http://127.0.0.1:1 http://127.0.0.1:2;")),
    ("argument-count", in_location("proxy_set_header X;")),
    ("argument-count", in_location("add_header X a b c;")),
    ("argument-count", in_location("proxy_buffering yes;")),
    ("argument-count", in_location("proxy_buffering;")),
    ("argument-count", in_location("proxy_buffers 8;")),
    ("argument-count", in_location("return;")),
    ("argument-count", in_location("rewrite a;")),
    ("argument-count", in_location("internal on;")),
    ("argument-count", in_server("listen;")),
    ("argument-count", in_server("location { }")),
    ("argument-count", in_server("server_name;")),
    ("argument-count", in_server("gzip 1;")),
    ("argument-count", whole("server a { }")),
    ("argument-count", whole("upstream { server 127.0.0.1:1; }")),
    ("argument-count", whole("map $uri { default 1; }")),
    ("argument-count", "worker_processes 1 2;\n" + whole("")),
    ("argument-count", in_stream("proxy_pass 127.0.0.1:1 127.0.0.1:2;")),
    ("argument-count", in_stream("proxy_next_upstream error;")),
    ("missing-semicolon", in_location("proxy_set_header Host $host\nproxy_pass http://127.0.0.1:1;")),
    ("missing-semicolon", in_location("proxy_set_header A $host # a comment\n\n# another\nproxy_set_header B $host;")),
    ("missing-semicolon", in_location("root /a\r\nindex b;")),
    ("missing-semicolon", in_server("root /a\nlocation /b { }")),
    ("missing-semicolon", in_server("location /b { }\nroot /a\nlocation /c {\nreturn 200;\n}")),
    ("missing-semicolon", in_server("listen 18081\nserver_name a;")),
    ("missing-semicolon", in_server("listen 18081\nroot /a;")),
    ("missing-semicolon", in_server("listen 18081\nsatisfy any;")),
    ("missing-semicolon", in_location("proxy_set_header A $host\nproxy_set_header B;")),
    ("missing-semicolon", whole("sendfile on\ntcp_nopush on;")),
    ("missing-semicolon", whole("upstream a {\nserver 127.0.0.1:1\nserver 127.0.0.1:2;\n}")),
    ("missing-semicolon", whole("upstream a {\nserver 127.0.0.1:1 weight=2\nkeepalive 16;\n}")),
    ("missing-semicolon", whole("proxy_read_timeout 60s\nupstream a { server 127.0.0.1:1; }")),
    ("missing-semicolon", "worker_processes 1\n" + whole("")),
    ("missing-semicolon", in_stream("proxy_pass 127.0.0.1:1\nproxy_timeout 1m;")),
]


@pytest.mark.parametrize(("rule", "text"), REFUSED, ids=lambda x: x.partition("off;\n")[2][:40] or x[:20])
def test_what_is_an_error_is_refused_by_nginx(rule: str, text: str, tmp_path: Path, nginx: Nginx) -> None:
    found = [name for _, _, name in nginx_folder(tmp_path, {"nginx.conf": text}) if name in RULES]
    assert set(found) == {rule}
    assert nginx.test(tmp_path / "nginx.conf").returncode == 1


ACCEPTED = [
    in_location("proxy_next_upstream error\n    timeout\n    http_502;\nproxy_pass http://127.0.0.1:1;"),
    in_location('add_header Content-Security-Policy\n    "default-src a;\nroot b"\n    always;'),
    in_location("index\n    index.html\n    internal.html\n    root;"),
    in_location("index a\n    root\n    index.php;"),
    in_location("index a.html root\n    /b;"),
    in_location("try_files $uri\n    /index.html;"),
    in_location("if ($uri = /a) { return 403; }\nlimit_except GET { deny all; }"),
    in_location("if ($uri = /a) { include *.none; proxy_pass http://127.0.0.1:1; }"),
    in_location("limit_except GET { proxy_pass http://127.0.0.1:1; }"),
    in_location("location /a { location /a/b { return 200; } }"),
    in_location("gzip ON;\nreturn 200;"),
    in_server("server_name a\n    mail\n    root\n    index\n    status;"),
    in_server("server_name a\n    mirror\n    www;"),
    in_server('set $a "x\nroot /b";'),
    in_server("error_page 404\n    500\n    /x.html;"),
    in_server('"gzip" "on";'),
    in_server("types { text/html html; listen server; gzip a b c d; }"),
    in_server("stub_status;"),
    whole("log_format long '$remote_addr'\n    '$request'\n    server_name\n    root;"),
    whole("map $host $a {\n    default 1;\n    root 2;\n    proxy_pas 3;\n    listen x;\n}"),
    whole("map $host\n    $a { default 1; }"),
    whole("geo $a { ranges; default 1; 10.0.0.0-10.0.0.9 2; }"),
    whole("split_clients $host $a { 50% a; * b; }"),
    whole("charset_map koi8-r utf-8 { 80 E282AC; }"),
    whole("upstream a {\n    server 127.0.0.1:1\n        weight=2\n        backup;\n    server 127.0.0.1:2;\n}"),
    whole("server { listen 18080\n    default_server; }"),
    whole("keepalive_timeout 60s\n    60s;"),
    in_stream("proxy_next_upstream off;\nproxy_pass 127.0.0.1:1;"),
]


@pytest.mark.parametrize("text", ACCEPTED, ids=lambda x: x.partition("18080;\n")[2][:40] or x[50:80])
def test_what_nginx_accepts_is_no_error(text: str, tmp_path: Path, nginx: Nginx) -> None:
    assert [f for f in nginx_folder(tmp_path, {"nginx.conf": text}) if f[2] in RULES] == []
    done = nginx.test(tmp_path / "nginx.conf")
    assert done.returncode == 0, done.stderr


# What newer versions and modules have, that are not here; and what is not known.
SILENT = [
    in_server("http2 on;\nhttp3 on;\nquic_retry on;\nssl_reject_handshake on;\nssl_conf_command Options KTLS;"),
    in_location("add_header_inherit merge;\nproxy_pass_trailers on;\nkeepalive_min_timeout 2s;\nearly_hints $a;"),
    whole("upstream a { zone a 64k; resolver 10.0.0.1; server b.example.com resolve; sticky cookie c; keepalive 4 local; }"),
    whole("upstream a { zone a 64k; state a.state; queue 10 timeout=1s; least_time header; }"),
    whole("js_import a from b.js;\njs_set $a a.b nocache;\nserver { location / { js_content a.b; } }"),
    whole("otel_exporter { endpoint localhost:4317; interval 1s; }\nserver { otel_trace on; }"),
    whole("acme_issuer a { uri https://a/; contact x@example.com; }\nserver { acme_certificate a; }"),
    whole("match ok { status 200; header a = b; require $a; }\nserver { location / { health_check match=ok; } }"),
    "mgmt { usage_report endpoint=a interval=1h; resolver 10.0.0.1; }\n" + whole(""),
    "rtmp { server { listen 1935; application live { live on; push rtmp://a; } } }\n" + whole(""),
    "mail { server { listen 25; protocol smtp; auth_http a; set_real_ip_from 10.0.0.1; } }\n" + whole(""),
    in_location("content_by_lua_block { ngx.say('root') }\nset_by_lua $a 'return 1';\nmore_set_headers 'a: b';\nbrotli on;"),
    in_location(
        "echo hello;\nset_md5 $a b;\nauth_ldap a;\nvhost_traffic_status_display;\nproxy_cache_purge PURGE from all;"
    ),
    in_location("my_module { root; listen; }\nanother_one 1 2 3;"),
    in_location("gzip ${GZIP};\nsendfile SENDFILE;\n__EXTRA__;\n$more;"),
    in_server("location if $a { return 200; }"),
    in_server("ssl on;"),
    in_location("post_action /a;\ngzip_hash 4k;"),
    in_stream("server_name a b;\nset $a b;\nssl_alpn h2 http/1.1;\npass 127.0.0.1:1;\nproxy_protocol v2;"),
    # snippets: where they stand is not known
    "proxy_pass 127.0.0.1:1;\n",
    "proxy_pass http://a;\nlisten 80;\nroot /a;\n",
    "server {\n    listen 5432;\n    proxy_pass a;\n}\n",
    "default 1;\nroot 2 3;\nexample.com 3;\n~^a 4;\n",
    "text/html html htm;\ntext/css css;\nindex 1 2;\n",
    "10.0.0.1 1;\n10.0.0.2 1;\nallow;\n",
    "location / { include nothing; }\nmy_own_thing 3;\n",
    "# proxyswitch: context=http,map\nroot 1 2;\ngzip yes;\n",
    "# proxyswitch: context=rtmp\nserver { chunk_size 4; gzip yes; }\n",
    "",
]


@pytest.mark.parametrize("text", SILENT)
def test_what_is_not_known_is_no_error(text: str) -> None:
    assert [f for f in in_config("nginx", text) if f.level == "error" and f.rule != "nginx/upstream-undefined"] == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("server {\n    location / { }\n    proxy_pass http://a;\n}\n", "directive-not-allowed"),
        ("location / { server_name a; }\n", "directive-not-allowed"),
        ("upstream a { proxy_pass http://a; }\n", "directive-not-allowed"),
        ("# proxyswitch: context=http,server\nproxy_pass http://a;\n", "directive-not-allowed"),
        ("# proxyswitch: context=http,server,location\nlisten 80;\n", "directive-not-allowed"),
        ("proxy_set_header Host $host\nproxy_set_header A $a;\n", "missing-semicolon"),
        ("server {\n    listen 80\n    server_name a;\n}\n", "missing-semicolon"),
        ("proxy_set_header Host;\n", "argument-count"),
        ("gzip yes;\n", "argument-count"),
        ("server {\n    proxy_read_timeot 1s;\n}\n", "unknown-directive"),
        ("proxy_set_header A $a;\nproxy_redirect off;\nproxy_set_heeder B $b;\n", "unknown-directive"),
    ],
)
def test_of_a_snippet_what_holds_wherever_it_stands(text: str, rule: str) -> None:
    assert [name for name in names("nginx", text) if name in RULES] == [rule]


def test_a_semicolon_is_missing_where_it_is_to_be_put() -> None:
    (one,) = in_config("nginx", "proxy_set_header Host $host # the host\nproxy_set_header A $a;\n")
    assert (one.line, one.column, one.rule) == (1, 23, "nginx/missing-semicolon")
    assert "before proxy_set_header" in one.message
    text = "location / {\n    root /a\n    gzip on\n    etag off;\n}\n"
    assert [(f.line, f.rule) for f in in_config("nginx", text)] == [
        (2, "nginx/missing-semicolon"),
        (3, "nginx/missing-semicolon"),
    ]


def test_messages_say_what_to_write() -> None:
    def message(text: str) -> str:
        return next(f.message for f in in_config("nginx", text) if f.rule.partition("/")[2] in RULES)

    assert message(in_location("proxy_pas http://a;")) == "nginx has no directive proxy_pas: did you mean proxy_pass?"
    assert message(in_location("listen 80;")) == (
        "listen is not allowed in location: it belongs in server, server of stream, server of mail"
    )
    assert message(in_server("location /;")) == "location needs a block: { … } instead of the ;"
    assert message(in_server("gzip yes;")) == "gzip is on or off, not yes"
    assert message(in_location("proxy_pass;")) == "proxy_pass takes 1 argument, and has none"
    assert message(in_location("add_header X;")) == "add_header takes 2 or 3 arguments, and has 1"
    assert message(in_location("internal x;")) == "internal takes no arguments, and has 1"
    assert message(in_server("server_name;")) == "server_name takes 1 argument or more, and has none"
    assert message(in_server("gzip on off;")) == "gzip takes one word: on or off"


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("frobnicate", "info"),
        ("proxy_pas", "error"),
        ("proxy_passing", "info"),
        ("lua_x", None),
        ("brotli", None),
        ("js_x", None),
    ],
)
def test_only_a_near_miss_is_an_error(name: str, level: str | None) -> None:
    found = [
        f.level for f in in_config("nginx", in_location(f"{name} x;")) if f.rule.startswith(("nginx/u", "nginx/directive"))
    ]
    assert found == ([level] if level else [])


def test_a_near_miss_must_fit_its_place_and_its_arguments() -> None:
    for text in ("proxy_pas;", "proxy_pas a b;", "lisen 80;", "locatio /a;"):
        assert "unknown-directive" not in names("nginx", in_location(text)), text
        assert "directive-not-known" in names("nginx", in_location(text)), text


@pytest.mark.parametrize(
    ("module", "judged"),
    [
        ("modules/ngx_http_mine_module.so", False),
        ("/usr/lib/nginx/modules/ngx_stream_module.so", True),
        ('"modules/ngx_http_lua_module.so"', True),
    ],
)
def test_with_an_unknown_module_no_name_is_judged(module: str, judged: bool) -> None:
    text = f"load_module {module};\n{in_location('proxy_pas x; frobnicate y;')}"
    found = [name for name in names("nginx", text) if "directive" in name]
    assert found == (["unknown-directive", "directive-not-known"] if judged else [])


def test_an_included_file_is_judged_where_it_is_included(tmp_path: Path) -> None:
    files = {
        "nginx.conf": "events {}\nhttp {\nserver { include a.conf; location / { include a.conf; } }\n}\n",
        "a.conf": "proxy_pass http://127.0.0.1:1;\n",
    }
    assert ("a.conf", 1, "directive-not-allowed") in nginx_folder(tmp_path, files)
    files["nginx.conf"] = "events {}\nhttp {\nserver { location / { include a.conf; } }\n}\n"
    assert not [f for f in nginx_folder(tmp_path, files) if f[2] in RULES]


def errors_in(path: Path) -> list[str]:
    found = run([Source(str(path), path.read_bytes())], "nginx", Options())
    return [f"{f.path}:{f.line} {f.rule}" for f in found if f.level == "error"]


@pytest.mark.parametrize("name", ["includes", "lua", "odd", "plain", "sites", "stream", "variables"])
def test_the_fixtures_have_no_error(name: str) -> None:
    assert errors_in(FIXTURES / "nginx" / name / "nginx.conf") == []


def test_what_debian_ships_has_no_error() -> None:
    try:
        done = subprocess.run(["dpkg", "-L", "nginx-common"], capture_output=True, text=True, check=False, timeout=30)
    except FileNotFoundError:
        not_here("this is no Debian: there is no dpkg")
    files = [Path(line) for line in done.stdout.splitlines() if line.startswith("/etc/nginx/")]
    shipped = [path for path in files if path.is_file()]
    if not shipped:
        not_here("nginx-common is not installed; install it with: apt-get install nginx-common")
    assert [error for path in shipped for error in errors_in(path)] == []


def test_the_tables_know_each_name_in_one_way() -> None:
    for name, masks in more_directives.MASKS.items():
        assert all(mask & more_directives.EVERYWHERE for mask in masks), name
        assert all(mask & 0xFFFF for mask in masks), name
    both = {name for name in directives.names() if modules.theirs(name)}
    assert both == set()
    assert modules.changing("sticky")
    assert not directives.certain(b"sticky")
    assert directives.certain(b"proxy_pass")
