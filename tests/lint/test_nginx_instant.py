"""Pools in instant mode: what fires when a line of the form is missing or wrong, and what must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyswitch.conf.text import apply
from proxyswitch.lint.finding import Finding
from tests.conf.adopt_helpers import Adopter, site
from tests.lint.helpers import LACKING, in_config, nginx_folder
from tests.nginx_check import Nginx

FLAG = "if (-e /srv/flags/app/green/$bucket) { set $app_slot app_green; }"
TOP = f"set $app_slot app_blue; {FLAG}"
BLUE = "upstream app_blue {\n server 127.0.0.1:1 max_fails=0;\n server 127.0.0.1:2 backup max_fails=0;\n}\n"
GREEN = "upstream app_green {\n server 127.0.0.1:2 max_fails=0;\n server 127.0.0.1:1 backup max_fails=0;\n}\n"


def config(blue: str = BLUE, green: str = GREEN, top: str = TOP, http: str = "", server: str = "") -> str:
    buckets = "split_clients $remote_addr $bucket { * 99; }"
    site = f"server {{ {server} {top}\n location / {{ proxy_pass http://$app_slot; }} }}"
    return f"events {{ }} http {{ {http} {buckets}\n{blue}{green}{site} }}"


def found(text: str) -> list[Finding]:
    return [finding for finding in in_config("nginx", text) if finding.rule.startswith("nginx/instant-")]


def rules(text: str) -> list[str]:
    return [finding.rule.removeprefix("nginx/instant-") for finding in found(text)]


def test_the_form_is_right_and_nothing_else_fires() -> None:
    assert in_config("nginx", config(), ignore=LACKING) == []


@pytest.mark.parametrize(
    "location",
    [
        "proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection '';",
        "proxy_pass http://app;",
        "grpc_pass app;",
    ],
)
def test_what_adopt_writes_is_right(location: str, tmp_path: Path, nginx_binary: str, nginx_globals: str) -> None:
    made = Adopter(tmp_path, Nginx(nginx_binary, nginx_globals))(site(location))
    assert in_config("nginx", made.text(), ignore=LACKING) == []


def test_several_servers_in_a_slot_are_right(tmp_path: Path, nginx_binary: str, nginx_globals: str) -> None:
    a, b, c, d = (f"127.0.0.1:{port}" for port in range(3001, 3005))
    pool = f"upstream app {{ server {a} weight=2; server {b}; server {c} down; server {d} down; }}\n"
    made = Adopter(tmp_path, Nginx(nginx_binary, nginx_globals))(
        site("proxy_pass http://app;", pool), blue=(a, b), green=(c, d)
    )
    assert in_config("nginx", made.text(), ignore=LACKING) == []


# --- a pool is missing


def test_a_slot_without_an_upstream() -> None:
    (one,) = found(config(green=""))
    assert (one.rule, one.level) == ("nginx/instant-pool", "error")
    assert one.message == "there is no upstream app_green: what the flag sends there gets 502"
    assert rules(config(blue="")) == ["pool"]
    assert "no upstream app_blue and no app_green" in found(config(blue="", green=""))[0].message
    assert rules(config(green=GREEN.replace("app_green", "App_Green"))) == []


def test_where_an_upstream_may_hide_none_is_missing() -> None:
    assert rules(config(green="", http="include /srv/upstreams.conf;")) == []
    assert rules(config(green="", http="resolver 10.0.0.2;")) == []
    assert rules(f"server {{ {TOP} location / {{ proxy_pass http://$app_slot; }} }}") == []


def test_each_server_block_that_asks_is_told(tmp_path: Path) -> None:
    main = f"events {{ }}\nhttp {{\nsplit_clients $remote_addr $bucket {{ * 99; }}\ninclude sites/*.conf;\n{BLUE}}}\n"
    block = f"server {{\n{TOP.replace('; ', ';', 1)}\nlocation / {{ proxy_pass http://$app_slot; }}\n}}\n"
    found = nginx_folder(tmp_path, {"sites/a.conf": block, "sites/b.conf": block, "nginx.conf": main}, ignore=LACKING)
    assert [f for f in found if f[2] == "instant-pool"] == [
        ("sites/a.conf", 2, "instant-pool"),
        ("sites/b.conf", 2, "instant-pool"),
    ]


@pytest.mark.parametrize(
    "top",
    [
        f"set $app_slot http://127.0.0.1:1; {FLAG}",
        f"set $other app_blue; {FLAG}",
        FLAG,
        "set $app_slot app_blue; if (-e /srv/maintenance) { set $app_slot app_green; }",
        "set $app_slot app_blue; if (!-e /srv/green/$bucket) { set $app_slot app_green; }",
        "set $app_slot app_blue; if (-e /srv/green/$bucket) { set $app_slot app2_green; }",
        "set $app_slot app_blue; if (-e /srv/green/$bucket) { return 503; }",
        "set $app_slot app_blue; if (-e /srv/green/$bucket) { set $app_slot app_green; break; }",
        "set $app_slot app_blue; if (-e /srv/green/$bucket) { }",
        "set $app_slot app_blue; if ($cookie_green) { set $app_slot app_green; }",
        "if { set $app_slot app_green; } if (-e) { set; }",
    ],
)
def test_another_form_is_not_judged(top: str) -> None:
    assert rules(config(top=top, green="", http="open_file_cache max=9;")) == []


# --- backups


def test_the_other_slot_is_the_backup() -> None:
    alone = "upstream app_blue {\n server 127.0.0.1:1;\n}\n"
    (one,) = found(config(blue=alone))
    assert (one.rule, one.level, one.line) == ("nginx/instant-backup", "warning", 2)
    assert one.message.startswith("app_blue lacks server 127.0.0.1:2 backup max_fails=0;")
    assert rules(config(blue=BLUE.replace(":2 ", ":3 "))) == ["backup"]
    assert rules(config(blue=BLUE.replace("127.0.0.1:2 backup", "127.0.0.1:2 backup down"))) == ["backup"]
    assert rules(config(blue=alone, green=GREEN.replace(":2 ", ":2 down "))) == []
    assert rules(config(blue=alone.replace("}", "include /srv/x; }"))) == []


def test_a_server_of_several_may_lack_its_backup() -> None:
    green = GREEN.replace("}", " server 127.0.0.1:3 max_fails=0;\n}")
    (one,) = found(config(green=green))
    assert "server 127.0.0.1:3 backup" in one.message
    assert rules(config(green=green, blue=BLUE.replace("}", "server 127.0.0.1:3 backup max_fails=0; }"))) == []


def test_the_spelling_of_an_address_does_not_matter() -> None:
    blue = BLUE.replace("127.0.0.1:2", "App.Internal")
    green = GREEN.replace("127.0.0.1:2", "app.internal:80")
    assert rules(config(blue=blue, green=green)) == []


# --- max_fails


def fixed(text: str) -> str:
    return apply(text.encode(), [edit for finding in found(text) for edit in finding.fixes]).decode()


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("server 127.0.0.1:1", "server 127.0.0.1:1 max_fails=0"),
        ("server 127.0.0.1:1 max_fails=3  weight=2", "server 127.0.0.1:1 max_fails=0  weight=2"),
        ("server 127.0.0.1:1 'max_fails=1'", "server 127.0.0.1:1 max_fails=0"),
    ],
)
def test_failures_are_not_counted(line: str, becomes: str) -> None:
    text = config(blue=BLUE.replace("server 127.0.0.1:1 max_fails=0", line))
    (one,) = found(text)
    assert (one.rule, one.level, one.line) == ("nginx/instant-max-fails", "warning", 3)
    assert one.message == "app_blue: a refused connection puts 127.0.0.1:1 out for 10 s: write max_fails=0"
    assert fixed(text) == text.replace(line, becomes, 1)
    assert in_config("nginx", fixed(text), ignore=LACKING) == []


def test_the_backup_too() -> None:
    text = config(blue=BLUE.replace("backup max_fails=0", "backup"))
    assert rules(text) == ["max-fails"]
    assert fixed(text) == config()


def test_of_several_servers_the_backups_alone() -> None:
    blue = BLUE.replace("server 127.0.0.1:1 max_fails=0;", "server 127.0.0.1:1; server 127.0.0.1:3;")
    green = GREEN.replace("}", "server 127.0.0.1:3 backup max_fails=0; }")
    assert rules(config(blue=blue, green=green)) == []
    assert rules(config(blue=blue.replace("backup max_fails=0", "backup"), green=green)) == ["max-fails"]


def test_other_pools_may_count_theirs() -> None:
    other = "upstream other { server 127.0.0.1:8; server 127.0.0.1:9 backup; }"
    assert rules(config(http=other)) == []


# --- the cache of open files


@pytest.mark.parametrize(
    ("http", "server", "valid"),
    [
        ("open_file_cache max=9;", "", "60s"),
        ("open_file_cache max=9; open_file_cache_valid 30s;", "", "30s"),
        ("", "open_file_cache max=9 inactive=20s;", "60s"),
        ("open_file_cache off;", "open_file_cache max=9;", "60s"),
        ("open_file_cache max=9;", "open_file_cache off;", ""),
        ("open_file_cache off;", "", ""),
        ("open_file_cache_valid 30s;", "", ""),
        ("open_file_cache max=9;", "include /srv/x;", ""),
        ("", "location /static { open_file_cache max=9; }", ""),
    ],
)
def test_a_flag_that_is_cached(http: str, server: str, valid: str) -> None:
    seen = found(config(http=http, server=server))
    assert [f.rule for f in seen] == (["nginx/instant-file-cache"] if valid else [])
    assert all(f.level == "warning" and f"takes up to {valid}:" in f.message for f in seen)
