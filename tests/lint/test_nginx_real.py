"""What configs of real life taught: forms that another server than plain nginx accepts, or that are no fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyswitch.lint.nginx import spelling
from tests.lint.helpers import in_config, names, nginx_folder


def whole(text: str, main: str = "") -> str:
    return f"{main}\nevents {{}}\nhttp {{\n{text}\n}}\n"


def errors(text: str) -> list[str]:
    return [f.rule.removeprefix("nginx/") for f in in_config("nginx", text) if f.level == "error"]


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("fls_path", "info"),  # two letters from js_path
        ("omallow", "info"),
        ("omdeny", "info"),
        ("http3_push", "info"),
        ("acces_log", "error"),
        ("lisetn", "error"),
        ("proxy_cache_metods", "error"),
        ("proxy_cahe_metods", "error"),  # two slips in a long name
    ],
)
def test_another_name_is_no_slip_of_the_pen(name: str, level: str) -> None:
    texts = (f"{name} x;", f"server {{ {name} x; }}", f"server {{ location / {{ {name} x; }} }}")
    found = {
        f.level for text in texts for f in in_config("nginx", whole(text)) if f.rule.endswith(("unknown-directive", "known"))
    }
    assert level in found
    assert level == "error" or "error" not in found


def test_short_names_have_one_slip() -> None:
    assert spelling._near(b"js_pth") == ("js_path",)
    assert spelling._near(b"js_th") == ()


@pytest.mark.parametrize(
    "text",
    [
        "limit_req_zone $binary_remote_addr $uri $arg_a zone=two:3m rate=1r/s;",
        "server { location / { limit_req zone=two burst=3 nodelay forbid_action=@busy; } }",
        "error_page default;",
        "server { location / { slice; } }",
    ],
)
def test_what_tengine_accepts_is_no_error(text: str) -> None:
    assert errors(whole(text)) == []


@pytest.mark.parametrize("text", ["limit_req_zone $uri;", "error_page;", "server { slice; }"])
def test_what_none_accepts_is_one(text: str) -> None:
    assert errors(whole(text)), text


def test_the_buffers_of_sockets_may_be_set_in_stream() -> None:
    text = (
        "events {} stream { proxy_socket_sndbuf 64k; server { listen 1; proxy_socket_rcvbuf 64k; proxy_pass 127.0.0.1:2; } }"
    )
    assert errors(text) == []


def test_a_zone_can_be_filled_at_run_time() -> None:
    use = "server { location / { proxy_pass http://app; } }"
    assert errors(whole(f"upstream app {{ zone app 64k; }} {use}")) == []
    assert errors(whole(f"upstream app {{ zone app 64k; queue 30; }} {use}")) == []
    assert errors(whole(f"upstream app {{ keepalive 8; }} {use}")) == ["no-servers"]
    assert errors(whole(f"upstream app {{ zone app 64k; server 127.0.0.1:1 backup; }} {use}")) == ["no-servers"]


def test_a_host_with_almost_the_name_of_its_pool_is_no_slip() -> None:
    pool, use = "upstream web_front {{ server {}:80; }}", "server { location / { proxy_pass http://web-front; } }"
    assert errors(whole(pool.format("Web-Front") + use)) == []
    assert "pass-to-host" in names("nginx", whole(pool.format("web-front") + use))
    assert errors(whole(pool.format("10.0.0.1") + use)) == ["upstream-undefined"]
    other = "server { listen 81; location / { proxy_pass http://web-front:8080; } }"
    assert errors(whole(pool.format("10.0.0.1") + use + other)) == []


def test_the_pools_of_the_tcp_module_are_its_own() -> None:
    servers = "server { listen 9; proxy_pass app; } server { listen 8; proxy_pass db; }"
    tcp = f"tcp {{ upstream app {{ server 127.0.0.1:3; }} {servers} }}"
    http = "upstream app { server 127.0.0.1:1; } server { location / { set $x a; proxy_pass http://app; } }"
    found = names("nginx", whole(http) + tcp)
    assert not {"duplicate-upstream", "pass-to-host", "upstream-undefined"} & set(found)
    assert "duplicate-upstream" in names("nginx", whole(http + "upstream app { server 127.0.0.1:3; }"))


@pytest.mark.parametrize("word", ["quic", "http3", "xquic"])
def test_one_port_of_tcp_and_of_udp_are_two(word: str) -> None:
    text = "server {{ listen 443 default_server {}; }} server {{ listen 443 default_server {}; }}"
    assert errors(whole(text.format(word, ""))) == []
    assert errors(whole(text.format(word, word))) == ["duplicate-default-server"]


def test_a_name_that_is_not_known_is_told_once() -> None:
    assert names("nginx", whole("frobnicate a; server { frobnicate b; defrobnicate c; }")).count("directive-not-known") == 2


@pytest.mark.parametrize("text", ["> if database then\n", "<% if ssl %>\n", "@include_here@;", "%extra%;"])
def test_what_is_of_a_template_is_no_name(text: str) -> None:
    found = names("nginx", whole(f"server {{ {text} listen 80; }}"))
    assert not [name for name in found if name in ("directive-not-known", "unknown-directive")]


def test_a_proxy_of_mail_is_known() -> None:
    text = "events {} mail { auth_http localhost:9000/a; proxy on; server { listen 143; protocol imap; } }"
    assert names("nginx", text) == []
    assert errors(text.replace("on;", "yes;")) == ["argument-count"]


def nothing(tmp_path: Path, line: str, **files: str) -> int:
    """How many includes take in nothing."""
    text = whole(f"{line} server {{ listen 80; }}")
    return [rule for _, _, rule in nginx_folder(tmp_path, {"nginx.conf": text, **files})].count("include-nothing")


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("include mime.types;", 0),
        ("include conf/mime.types;", 0),
        ("include fastcgi_params;", 0),
        ("include snippets/fastcgi-php.conf;", 0),
        ("include custom.d/*.conf;", 0),
        ("include vhosts-enabled/*;", 0),
        ("include local[.]conf;", 0),
        ("include loc*l[.]conf;", 1),
        ("include local[.a]conf;", 1),
        ("include my_params;", 1),
        ("include my.types;", 1),
        ("include vhosts/*.conf;", 1),
    ],
)
def test_what_may_be_missing(line: str, count: int, tmp_path: Path) -> None:
    assert nothing(tmp_path, line) == count


def test_a_pattern_beside_which_files_lie_is_odd(tmp_path: Path) -> None:
    assert nothing(tmp_path, "include custom.d/*.conf;", **{"custom.d/a.cnf": ""}) == 1


@pytest.mark.parametrize(
    "line", ["server_name {{ domain }};", "{% if ssl %} listen 443; {% endif %}", 'root "<%= r["a"] %>";']
)
def test_of_a_template_it_is_said(line: str) -> None:
    found = [f.message for f in in_config("nginx", whole(f"server {{ {line} }}")) if f.rule == "nginx/syntax"]
    assert [message.endswith(": is this a template? Check what comes out of it") for message in found] == [True]


def syntax(text: str) -> list[str]:
    return [f.message for f in in_config("nginx", text) if f.rule == "nginx/syntax"]


def test_where_a_brace_counts_in_a_regular_expression_it_is_said() -> None:
    for line in ("rewrite ^/([0-9]{5}).html$ /a last;", "location ~ ^/x{2,3}/ { }", "if ($uri ~ a{2,}) { return 404; }"):
        found = syntax(whole(f"server {{\n{line}\n}}"))
        assert [
            message.endswith("of line 5 is part of a regular expression, which needs quotes then") for message in found
        ], line
        assert all("template" not in message for message in found)


@pytest.mark.parametrize("line", ['rewrite "^/[0-9]{5}$" /a', "# x{2}", "set $a ${b}{", "location / {1}"])
def test_where_none_does_it_is_not(line: str) -> None:
    found = syntax(f"server {{\n{line}\n")
    assert found
    assert not [message for message in found if "regular" in message or "template" in message]
