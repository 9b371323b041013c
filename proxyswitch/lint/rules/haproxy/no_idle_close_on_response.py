"""No frontend has `option idle-close-on-response`: a reload cuts clients that wait with an open connection.

The old process closes them at once, and a request that is on its way at that moment fails. With the option it answers
that one first. HAProxy 2.6 has it, and late releases before. Changes by the stats socket need no reload. Not judged are
proxies with no server behind them, as one with a stats page only.

FAIL
    global
        maxconn 1000

    defaults
        mode http

    frontend www
        bind 127.0.0.1:8080
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check

PASS
    global
        maxconn 1000

    defaults
        mode http
        option idle-close-on-response

    frontend www
        bind 127.0.0.1:8080
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy
from proxyswitch.lint.haproxy.known import may_be_off, mode

ID = "haproxy/no-idle-close-on-response"
LEVEL: Level = "info"
_CLOSES = ("httpclose", "forceclose")  # nobody waits on an open connection


def check(config: Config) -> Iterator[Found]:
    """Once, where no frontend has it."""
    http = [p for p in config.proxies if p.takes and mode(config, p) == "http" and not may_be_off(p)] if config.whole else []
    if any(proxy.option("idle-close-on-response") for proxy in http):
        return
    for proxy in [p for p in http if _has_servers(p) and not any(p.option(name) for name in _CLOSES)][:1]:
        yield proxy.head.found("no option idle-close-on-response: a reload cuts clients with an idle connection")


def _has_servers(proxy: Proxy) -> bool:
    """Whether there are some behind it."""
    return bool(proxy.servers or proxy.unread or proxy.said(b"default_backend", b"use_backend"))
