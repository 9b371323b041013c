"""All servers of a pool that are on have weight 0: each new client gets 503.

HAProxy sends to a server of weight 0 only what a cookie, a stick table or `use-server` brings there. A backup server with a
weight steps in. Not judged are pools with `use-server` rules, and those that haproxy/all-disabled leaves out.

FAIL
    backend app
        server blue 127.0.0.1:3001 check weight 0
        server green 127.0.0.1:3002 check weight 0

FAIL
    backend app
        server blue 127.0.0.1:3001 check weight 0
        server green 127.0.0.1:3002 check disabled

PASS
    backend app
        server blue 127.0.0.1:3001 check weight 0
        server green 127.0.0.1:3002 check

PASS
    backend app
        use-server blue if { path_beg /blue }
        server blue 127.0.0.1:3001 check weight 0
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy
from proxyswitch.lint.haproxy.known import mode
from proxyswitch.lint.haproxy.names import is_are
from proxyswitch.lint.haproxy.out import agents, places, state_file, unguarded

ID = "haproxy/all-weight-zero"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for pool in unguarded(config, [pool for pool in config.judged if _out(pool)]):
        weight = is_are(pool.on, "has", "have")
        fate = "which closes the connection" if mode(config, pool) == "tcp" else "which is 503"
        yield pool.on[0].row.found(f"{pool.name} gives nobody new a server: {weight} weight 0, {fate}")


def _out(pool: Proxy) -> bool:
    zero = bool(pool.on) and all(server.server.weight == 0 for server in pool.on)
    return zero and not (pool.said(b"use-server") or state_file(pool) or agents(pool) or places(pool))
