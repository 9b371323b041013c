"""A request whose server has just died fails, though another server could answer it.

Without `option redispatch` HAProxy tries the same server again, three times, a second apart; then it answers 503. Until the
health check has found out, that is the share of the dead server. Not judged: tcp mode, one server, `no option redispatch`.

FAIL
    backend app
        mode http
        server app1 127.0.0.1:3001 check
        server app2 127.0.0.1:3002 check

PASS
    defaults
        mode http
        option redispatch
    backend app
        server app1 127.0.0.1:3001 check
        server app2 127.0.0.1:3002 check

PASS
    backend app
        mode http
        server app1 127.0.0.1:3001 check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy

ID = "haproxy/no-redispatch"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    for pool in config.judged:
        if pool.mode == "http" and len(pool.on) > 1 and not _chosen(pool):
            yield pool.head.found(f"{pool.name} tries a server that has died again, not another: add `option redispatch`")


def _chosen(pool: Proxy) -> bool:
    """Whether somebody thought of it."""
    refused = any(row.words[1:3] == ["option", "redispatch"] for row in pool.said(b"no"))
    return refused or bool(pool.option("redispatch") or pool.said(b"redispatch"))
