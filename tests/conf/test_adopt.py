"""The form of instant mode, in all the ways in which people write a config. nginx judges each one, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxyswitch.conf.nginx import adopt, chain, instant
from tests.conf.adopt_helpers import FLAGS, GREEN, HEAD, POOL, Adopter, edited, site, wanted_of
from tests.nginx_check import Nginx, copy_fixture, make_certificate

PLAIN = "proxy_pass http://app; proxy_set_header Host $host; proxy_redirect off;"
LOCATION = "location / { " + PLAIN + " }"


@pytest.fixture
def adopted(tmp_path: Path, nginx: Nginx) -> Adopter:
    return Adopter(tmp_path, nginx)


def test_the_whole_form(adopted: Adopter) -> None:
    text = adopted(site(PLAIN)).text()
    head, rest = text.split("* 99;\n}\n")
    assert head.endswith("1% 96; 1% 97; 1% 98; ")
    assert head.startswith(
        HEAD + "# proxyswitch: the bucket of a client, 0 to 99: a share of the buckets is a share of the clients\n"
        "split_clients $remote_addr $proxyswitch_bucket {\n    1% 0; 1% 1;"
    )
    assert rest.startswith(
        f"""\
# proxyswitch: the URI as it was when the request came in
map $uri $proxyswitch_uri {{ default $uri; }}
upstream app_blue {{
    server 127.0.0.1:3001 max_fails=0;
    server 127.0.0.1:3002 backup max_fails=0;
    keepalive_timeout 2s;
}}

upstream app_green {{
    server 127.0.0.1:3001 backup max_fails=0;
    server 127.0.0.1:3002 max_fails=0;
    keepalive_timeout 2s;
}}
server {{
    # proxyswitch: app is served by one of its two slots, as the flag says
    set $app_slot app_blue;
    if (-e {FLAGS}/green/$proxyswitch_bucket) {{ set $app_slot app_green; }}
    set $app_gate closed;
    set $app_raw "";
    set $app_start $proxyswitch_uri;
    listen 8080;
    location / {{
        if (-e {FLAGS}/gate/$app_gate) {{ rewrite ^ /.proxyswitch/app$uri last; }}
        proxy_pass http://$app_slot$app_raw; proxy_set_header Host $host; proxy_redirect off;
    }}

    # proxyswitch: requests for app end here while it is closed; those that are allowed go back
    location ^~ /.proxyswitch/app/ {{
        internal;
"""
    )
    assert rest.endswith(
        f"""\
        if (-e {FLAGS}/gate/allow/$app_net4) {{ set $app_gate open; }}
        if ($uri = /.proxyswitch/app$app_start) {{ set $app_raw $request_uri; }}
        if ($app_gate = open) {{ rewrite "(?s)^/\\.proxyswitch/app(/.*)$" $1 last; }}
        error_page 503 /.proxyswitch/app.html;
        return 503;
    }}
    location = /.proxyswitch/app.html {{
        internal;
        root {FLAGS}/gate;
        default_type text/html;
        set $app_retry "";
        if ($realpath_root ~ "/retry-(\\d+)[^/]*$") {{ set $app_retry $1; }}
        add_header Retry-After $app_retry always;
    }}
    location = /.proxyswitch/app.check {{
        if ($remote_addr != $server_addr) {{ return 404; }}
        set $app_seen "no flag seen";
        if (-e {FLAGS}/green) {{ set $app_seen "flag seen"; }}
        default_type text/plain;
        return 200 "$app_slot, $app_seen";
    }}
}}
}}
"""
    )


def test_the_rest_of_the_program_knows_the_form(adopted: Adopter) -> None:
    (found,) = instant.find(adopted(site(PLAIN)).after)
    assert (found.name, found.flags) == ("app", FLAGS)
    assert [line.server.address for line in found.lines("green")] == [GREEN]


ODD: dict[str, str | bytes] = {
    "crlf": site(PLAIN).replace("\n", "\r\n"),
    "tabs": site(PLAIN).replace("    ", "\t"),
    "one line": f"pid nginx.pid; events {{}} http {{ access_log off; {POOL.replace(chr(10), ' ')}"
    f"server {{ listen 8080; {LOCATION} }} }}",
    "no blanks": "pid nginx.pid;events{}http{access_log off;upstream app{server 127.0.0.1:3001;server 127.0.0.1:3002 down;}"
    "server{listen 8080;location /{proxy_pass http://app;}}}",
    "comments": site("# proxy_pass http://app;\n        proxy_pass http://app;  # to app")
    .replace("upstream app {", "# the app\n# of the shop\nupstream app { # app")
    .replace("location / {", "location / { # }")
    .replace("server {", "server { # {"),
    "quotes": site('proxy_pass "http://app";', POOL.replace("upstream app", "upstream 'app'")),
    "other case": site("proxy_pass HTTP://App;"),
    "no UTF-8": site("proxy_pass http://app;").encode().replace(b"listen", b"# \xe9\n    listen"),
    "words on several lines": site("proxy_pass # to\n          http://app\n        ;"),
    "no last newline": site(PLAIN).rstrip("\n"),
    "two in one location": site("if ($arg_a) { proxy_pass http://app; }\n        proxy_pass http://app;"),
    "in limit_except": site("limit_except GET { deny all; }\n        proxy_pass http://app;"),
    "a string before it": site(PLAIN, f"log_format x 'a\n# ';\n{POOL}"),
}


@pytest.mark.parametrize("name", ODD)
def test_any_spelling(name: str, adopted: Adopter) -> None:
    text = ODD[name]
    made = adopted({"nginx.conf": text})
    assert instant.find(made.after)
    after = made.after.root.data
    assert (after.count(b"\r\n") == after.count(b"\n")) == (name == "crlf")
    assert (b"\t\tif (-e" in after) == (name == "tabs")


def test_comments_stay_with_what_they_are_about(adopted: Adopter) -> None:
    text = adopted({"nginx.conf": ODD["comments"]}).text()
    assert "# the app\n# of the shop\nupstream app_blue { # app\n" in text
    assert "location / { # }\n        if (-e" in text
    assert "proxy_pass http://$app_slot$app_raw;  # to app" in text


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("fastcgi_pass app;", "fastcgi_pass $app_slot;"),
        ("uwsgi_pass app;", "uwsgi_pass $app_slot;"),
        ("uwsgi_pass uwsgi://app;", "uwsgi_pass uwsgi://$app_slot;"),
        ("uwsgi_pass suwsgi://app;", "uwsgi_pass suwsgi://$app_slot;"),
        ("scgi_pass app;", "scgi_pass $app_slot;"),
        ("grpc_pass app;", "grpc_pass $app_slot;"),
        ("grpc_pass grpc://app;", "grpc_pass grpc://$app_slot;"),
        ('grpc_pass "grpcs://app";', 'grpc_pass "grpcs://$app_slot";'),
        ("proxy_pass https://app;", "proxy_pass https://$app_slot$app_raw;"),
        ("proxy_pass 'http://app';", "proxy_pass 'http://$app_slot$app_raw';"),
        ("rewrite ^/a /b break; proxy_pass http://app;", "rewrite ^/a /b break; proxy_pass http://$app_slot;"),
    ],
)
def test_all_passes(line: str, after: str, adopted: Adopter) -> None:
    made = adopted(site(line))
    assert made.location()[-1] == after
    assert ("$app_raw" in made.text()) == ("$app_raw" in after)


def test_an_upstream_with_all_that_can_be_copied(adopted: Adopter) -> None:
    pool = """\
upstream app {
    zone app 64k;
    least_conn;
    server 127.0.0.1:3001 weight=3 max_fails=2 max_conns=9;   # one
    server 127.0.0.1:3003 down fail_timeout=5s;
    server 127.0.0.1:3002 backup;                             # idle
    keepalive 8;
    keepalive_timeout 60s;
}
"""
    made = adopted(site(PLAIN, pool), blue=("127.0.0.1:3001", "127.0.0.1:3003"), green=(GREEN, "127.0.0.1:3004"))
    assert """\
upstream app_blue {
    zone app 64k;
    least_conn;
    server 127.0.0.1:3001 weight=3 max_conns=9 max_fails=0;   # one
    server 127.0.0.1:3003 down fail_timeout=5s max_fails=0;
    server 127.0.0.1:3002 backup max_fails=0;                 # idle
    keepalive 8;
    keepalive_timeout 2s;
    server 127.0.0.1:3004 weight=3 max_conns=9 backup max_fails=0;
}

upstream app_green {
    zone app_green 64k;
    least_conn;
    server 127.0.0.1:3001 weight=3 max_conns=9 backup max_fails=0;
    server 127.0.0.1:3003 down fail_timeout=5s backup max_fails=0;
    server 127.0.0.1:3002 max_fails=0;
    server 127.0.0.1:3004 weight=3 max_conns=9 max_fails=0;
    keepalive 8;
    keepalive_timeout 2s;
}
""" in made.text()
    assert "max_fails=2 of 127.0.0.1:3001 became max_fails=0" in made.warnings
    assert "keepalive_timeout 60s of app became 2s" in made.warnings


def test_a_short_keepalive_stays(adopted: Adopter) -> None:
    made = adopted(site(PLAIN, POOL.replace("}", "    keepalive_timeout 3s;\n}")))
    assert made.text().count("keepalive_timeout 3s;") == 2
    assert not made.warnings


def test_green_can_be_the_one_that_serves(adopted: Adopter) -> None:
    made = adopted(site(PLAIN), blue=(GREEN,), green=("127.0.0.1:3001",))
    assert made.adoption.active == "green"
    assert (
        "upstream app_blue {\n    server 127.0.0.1:3001 backup max_fails=0;\n    server 127.0.0.1:3002 max_fails=0;\n"
        in (made.text())
    )


@pytest.mark.parametrize(
    ("pool", "wish", "slots"),
    [
        (f"server {GREEN}; server 127.0.0.1:3001 backup;", {}, ([GREEN], ["127.0.0.1:3001"])),
        (f"server {GREEN};", {"green": ("[::1]:3003",)}, ([GREEN], ["[::1]:3003"])),
        (f"server {GREEN};", {"blue": ("unix:/run/app.sock",)}, (["unix:/run/app.sock"], [GREEN])),
        ("server 127.0.0.1; server localhost:81 down;", {"blue": ("127.0.0.1:80",)}, (["127.0.0.1"], ["localhost:81"])),
        ("server 127.0.0.1:1; server 127.0.0.1:2 down;", {"green": ("127.0.0.1:1",)}, (["127.0.0.1:2"], ["127.0.0.1:1"])),
    ],
)
def test_slots(pool: str, wish: dict[str, Any], slots: tuple[list[str], list[str]], adopted: Adopter) -> None:
    (found,) = instant.find(adopted(site(PLAIN, f"upstream app {{ {pool} }}\n"), **wish).after)
    assert tuple([line.server.address for line in found.lines(slot)] for slot in instant.SLOTS) == slots


INCLUDED: dict[str, str | bytes] = {
    "nginx.conf": HEAD + "include pools/*.conf;\ninclude sites/*.conf;\n}\n",
    "pools/app.conf": POOL,
    "sites/a.conf": "server {\n    listen 8080;\n    include snippets/loc.conf;\n}\n",
    "sites/b.conf": "server {\n\tlisten 8081;\n\tinclude snippets/loc.conf;\n\tlocation /b {include snippets/pass.conf;}\n}",
    "sites/c.conf": "server {\n    listen 8082;\n    location / { return 204; }\n}\n",
    "snippets/loc.conf": "location /app {\n    include snippets/pass.conf;\n}\n",
    "snippets/pass.conf": "proxy_pass http://app;\nproxy_set_header Host $host;\n",
}


def test_includes(adopted: Adopter) -> None:
    made = adopted(INCLUDED)
    assert made.text("pass.conf") == "proxy_pass http://$app_slot$app_raw;\nproxy_set_header Host $host;\n"
    assert made.text("app.conf").startswith("# proxyswitch: the bucket")
    for name in ("a.conf", "b.conf"):
        assert made.text(name).count("set $app_slot app_blue;") == 1
        assert made.text(name).count("location = /.proxyswitch/app.html {") == 1
    assert "proxyswitch" not in made.text("c.conf")


def test_a_location_of_two_servers_is_edited_once(adopted: Adopter) -> None:
    text = adopted({**INCLUDED, "snippets/loc.conf": "location /app { proxy_pass http://app; }\n"}).text("loc.conf")
    assert text.count("proxy_set_header Host app;") == text.count("if (-e") == 1


def test_a_name_that_is_no_name_of_a_variable(adopted: Adopter) -> None:
    for pool, variable in (("3scale-app.v1", "_3scale_app_v1"), ("my.app", "my_app")):
        text = site(PLAIN.replace("//app", f"//{pool}"), POOL.replace("upstream app", f"upstream {pool}"))
        made = adopted(text, pool=pool)
        assert f"set ${variable}_slot {pool}_blue;" in made.text()
        assert rf"^/\.proxyswitch/{pool.replace('.', chr(92) + '.')}(/.*)$" in made.text()
        assert instant.find(made.after)[0].name == pool


@pytest.mark.parametrize(
    ("sticky", "key"),
    [("cookie:id", "cookie_id"), ("header:X-User", "http_x_user"), ("variable:arg_u", "arg_u"), ("$arg_u", "arg_u")],
)
def test_a_key_of_its_own(sticky: str, key: str, adopted: Adopter) -> None:
    made = adopted(site(PLAIN), sticky=sticky)
    assert (
        f'map ${key} $app_key {{ "" $remote_addr; default ${key}; }}\nsplit_clients $app_key $app_bucket {{\n' in made.text()
    )
    assert f"if (-e {FLAGS}/green/$app_bucket)" in made.text()
    assert "proxyswitch_bucket" not in made.text()


def test_two_pools_share_what_they_can(adopted: Adopter) -> None:
    other = "upstream other { server 127.0.0.1:4001; server 127.0.0.1:4002 down; }\n"
    text = site(PLAIN, POOL + other, "    location /o { proxy_pass http://other; }\n")
    first = adopted(text)
    second = adopted(first.text(), pool="other", flags="/srv/flags/other")
    assert second.text().count("split_clients") == second.text().count("map $uri") == 1
    assert {pool.name for pool in instant.find(second.after)} == {"app", "other"}


def test_the_page_can_be_seen_where_a_server_keeps_people_out(adopted: Adopter) -> None:
    lines = "        internal;\n        satisfy any;\n        allow all;\n"
    assert lines in adopted(site(PLAIN, server="    deny all;\n")).text()
    assert lines not in adopted(site(PLAIN)).text()


def test_warnings(adopted: Adopter) -> None:
    http = (
        "open_file_cache max=9; open_file_cache_valid 30s;\nlog_format x '$proxy_host';\n"
        "server { listen 8081; server_name ~^(?<name>.+)$; resolver 127.0.0.1; location / { proxy_pass http://$name; } }\n"
    )
    warnings = adopted(site(PLAIN, http=http)).warnings
    assert "nginx.conf:5: open_file_cache remembers the flag too: a switch takes up to 30s (set open_file" in warnings
    assert "nginx.conf:6: $proxy_host in this log will be the name of the slot's pool" in warnings
    assert "nginx.conf:7: proxy_pass http://$name takes its target from a request" in warnings
    assert "a switch takes up to 60s" in adopted(site(PLAIN, server="    open_file_cache max=9;\n")).warnings
    assert not adopted(site(PLAIN, http="open_file_cache off;\n")).warnings


def test_a_pool_of_stream_with_the_same_name_stays(adopted: Adopter) -> None:
    stream = "stream { upstream app { server 127.0.0.1:5432; } server { listen 5433; proxy_pass app; } }\n"
    text = site(PLAIN).replace("http {", f"{stream}http {{")
    assert stream in adopted(text).text()


FIXTURES_ADOPTED = {"odd": ["app", "windows"], "plain": ["app"], "sites": ["app", "app2", "app_backend", "app_backend_v2"]}


@pytest.mark.parametrize("name", FIXTURES_ADOPTED)
def test_fixtures(name: str, tmp_path: Path, nginx: Nginx) -> None:
    conf = copy_fixture(name, tmp_path)
    if name == "sites":
        make_certificate(conf.parent / "certs")
    config = chain.load(str(conf))
    for pool in FIXTURES_ADOPTED[name]:
        wanted = wanted_of(pool=pool, green=("127.0.0.1:9999",))
        made = adopt.adopt(config, wanted)
        after = edited(config, made.edits)
        adopt.verify(config, after, wanted)
        for document in after.documents.values():
            Path(document.real).write_bytes(document.data)
        assert nginx.test(conf).returncode == 0
        undone = edited(after, adopt.undo(after, made.record))
        assert {r: d.data for r, d in undone.documents.items()} == {r: d.data for r, d in config.documents.items()}


def test_values_that_name_the_pool_where_no_pass_takes_a_variable(adopted: Adopter) -> None:
    http = "map $uri $x { default app; }\nserver { listen 8081; server_name app; location /app { return 200 app; } }\n"
    assert not adopted(site(PLAIN, http=http)).warnings
    other = "map $uri $y { default 127.0.0.1:9; }\nserver { listen 8082; location / { proxy_pass http://$y; } }\n"
    assert not adopted(site(PLAIN, http=http + other)).warnings
