"""Values that HAProxy's config must not get, alone or together: each refusal names the option."""

from __future__ import annotations

import pytest

from proxyswitch.errors import UsageError
from tests.generate.cases.haproxy import SHOP
from tests.generate.support import generate

BAD = {
    "name": ["a\nb", "a{b", "a;b", "a'b", 'a"b', "", "1a", "a b", "a#b"],
    "pool": ["a\nb", "a}b", "a;b", "a'b", 'a"b', "a b"],
    "blue": [
        "127.0.0.1",
        "127.0.0.1:99999",
        "127.0.0.1:0",
        "300.1.1.1:80",
        "[::1:80",
        "unix:run/a",
        "unix:/a b",
        "a b:80",
        "\n:1",
    ],
    "green": ["3002", "unix:/a;b", "unix:/a'b", "x:y"],
    "health": ["health", "/a b", "/a\nb", "/a;b", "/a'b", "/{x}", "/#a"],
    "health_host": ["a b", "a\nb", "-a", "a..b", "a;b", "é.example"],
    "health_status": ["ok", "99", "200-", "200 204", "600", "200\n"],
    "interval": ["0", "x", "-1s", "2 days", "1s\n2s", "999999h"],
    "slowstart": ["x", "-1"],
    "server_timeout": ["0", "never"],
    "tunnel_timeout": ["0ms", "1d"],
}
BAD_WHOLE = {
    "bind": ["localhost", "1.2.3", "::g", "127.0.0.1:80", "*;", "127.0.0.1\n", "'"],
    "port": ["0", "65536", "http", "80\n", "-1"],
    "cert": ["cert.pem", "/a\nb", "/a'b", '/a"b', "/a;b", "/a{b", "/a#b", "/a$b"],
    "key": ["key.pem", "/a\nb"],
    "tls": ["old", "Modern", ""],
    "tls_port": ["0", "x"],
    "trust": ["10.0.0.1/8", "all", "10.0.0.0/33", "10.0.0.0/8 }"],
    "client_timeout": ["0", "soon"],
    "socket": ["admin.sock", "/a\nb", "/a'b"],
    "state_file": ["state", "/a;b", "/a\nb"],
    "user": ["Root", "a b", "a;b", "a\n"],
    "group": ["a'b", "0"],
    "chroot": ["x", "/a\\b"],
    "maxconn": ["0", "many", "99999999"],
    "drain": ["0", "x"],
    "log": ["here", "unix:/dev/log", "/dev/log\n", "stderr;", "127.0.0.1"],
    "log_format": ["xml", "JSON"],
    "stats_port": ["-1", "65536", "x"],
}


def refused(words: str, *more: str) -> str:
    with pytest.raises(UsageError) as error:
        generate(words, *more)
    return str(error.value)


@pytest.mark.parametrize(("kind", "bad"), [("haproxy-backend", BAD), ("haproxy", BAD_WHOLE)])
def test_bad_values_name_their_option(kind: str, bad: dict[str, list[str]]) -> None:
    for key, texts in bad.items():
        option = f"--{key.replace('_', '-')}"
        for text in filter(None, texts):
            assert refused(f"{kind} {SHOP} --haproxy-version 3.2", f"{option}={text}").startswith(f"{option}: "), text


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("--green 127.0.0.1:3001", "--green"),
        ("--interval 10s", "--slowstart"),
        ("--interval 10s --slowstart 9s", "--interval"),
        ("--tls modern", "--cert"),
        ("--key /a.key", "--cert"),
        ("--tls-port 444", "--cert"),
        ("--hsts", "--cert"),
        ("--cert /a.pem --key /a.key", "--key needs HAProxy 3.0"),
        ("--log-format json", "--log-format json needs HAProxy 3.0"),
        ("--private", "--socket"),
        ("--private --socket /s --user haproxy", "--user"),
        ("--private --socket /s --group haproxy", "--group"),
        ("--private --socket /s --chroot /var/empty", "--chroot"),
        ("--stats-port 80", "--stats-port"),
        ("--cert /a.pem --port 443", "--tls-port"),
        ("--cert /a.pem --stats-port 443", "--tls-port"),
        ("--chroot /var/empty --blue unix:/run/a.sock", "--blue"),
        ("--chroot /var/empty --log /dev/log", "--log /dev/log"),
    ],
)
def test_what_does_not_go_together(words: str, option: str) -> None:
    assert option in refused(f"haproxy {SHOP} --haproxy-version 2.6 {words}")
