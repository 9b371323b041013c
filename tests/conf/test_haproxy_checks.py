"""The health check of a pool, read from its config: what a plain GET can stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyswitch.conf.haproxy.checks import FINE, HttpCheck, http_check
from proxyswitch.conf.haproxy.config import load
from proxyswitch.conf.haproxy.pools import backends


def check(tmp_path: Path, *lines: str, defaults: str = "") -> HttpCheck | None:
    path = tmp_path / "haproxy.cfg"
    body = "".join(f"    {line}\n" for line in lines)
    path.write_text(f"defaults\n    mode http\n    {defaults}\nbackend app\n{body}    server a 127.0.0.1:1 check\n")
    return http_check(backends(load([str(path)]), "app")[0])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["option httpchk GET /health"], HttpCheck("/health")),
        (["option httpchk GET /health HTTP/1.1\\r\\nHost:\\ www.example.com"], HttpCheck("/health", "www.example.com")),
        (["option httpchk", "http-check send meth GET uri /up hdr Host www"], HttpCheck("/up", "www")),
        (["option httpchk", "http-check send hdr X 1 hdr host www meth GET uri /up ver HTTP/1.1"], HttpCheck("/up", "www")),
        (["option httpchk GET /", "http-check expect status 200"], HttpCheck("/", "", frozenset({200}))),
        (
            ["option httpchk GET /", "http-check expect status 200,300-302"],
            HttpCheck("/", "", frozenset({200, *range(300, 303)})),
        ),
        (["option httpchk GET /", "http-check expect comment fine status 204"], HttpCheck("/", "", frozenset({204}))),
    ],
)
def test_a_get_is_read(tmp_path: Path, lines: list[str], expected: HttpCheck) -> None:
    assert check(tmp_path, *lines) == expected


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["option httpchk"],  # OPTIONS, which is the default
        ["option httpchk /health"],
        ["option httpchk HEAD /health"],
        ["option httpchk", "http-check send uri /up"],
        ["option httpchk", "http-check send meth POST uri /up body x"],
        ["option httpchk", "http-check connect port 1", "http-check send meth GET uri /up"],
        ["option httpchk GET /", "http-check expect rstatus ^2"],
        ["option httpchk GET /", "http-check expect ! status 500"],
        ["option httpchk GET /", "http-check expect string ok"],
        ["option httpchk GET /", "http-check expect status 2xx"],
        ["option httpchk GET /", "http-check expect status 200", "http-check expect string ok"],
        ["option httpchk", "http-check send meth GET uri /a", "http-check send meth GET uri /b"],
        ["option tcp-check", "tcp-check connect"],
    ],
)
def test_what_only_haproxy_can_ask_is_left_to_it(tmp_path: Path, lines: list[str]) -> None:
    assert check(tmp_path, *lines) is None


def test_it_is_inherited_and_taken_back(tmp_path: Path) -> None:
    assert check(tmp_path, defaults="option httpchk GET /up") == HttpCheck("/up", "", FINE)
    assert check(tmp_path, "no option httpchk", defaults="option httpchk GET /up") is None
