"""A frontend in mode http sends to a backend in mode tcp.

HAProxy refuses such a config. The other way is allowed: it takes the connection for HTTP from there on.

FAIL
    defaults
        mode http

    frontend www
        bind 127.0.0.1:8080
        default_backend app

    backend app
        mode tcp
        server app1 127.0.0.1:3001 check

PASS
    defaults
        mode http

    frontend www
        mode tcp
        bind 127.0.0.1:8080
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check

PASS
    frontend www
        mode http
        bind 127.0.0.1:8080
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy, Row
from proxyswitch.lint.haproxy.known import may_be_off, mode

ID = "haproxy/mode-mismatch"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for proxy in config.proxies:
        if proxy.takes and mode(config, proxy) == "http" and not may_be_off(proxy):
            for row in _sends(proxy):
                pool = config.pool([*row.words, ""][1])
                if pool and mode(config, pool) == "tcp":
                    yield row.found(f"{proxy.name} is in mode http, {pool.name} in mode tcp: HAProxy refuses that", word=1)


def _sends(proxy: Proxy) -> list[Row]:
    """The lines that say where it sends to: of `default_backend` the last counts."""
    rows = [*proxy.own(b"use_backend"), *proxy.said(b"default_backend")[-1:]]
    return [row for row in rows if row.sure]
