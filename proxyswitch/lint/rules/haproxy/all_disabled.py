"""Every server of a pool is disabled: after a start or a reload each request gets 503.

`haproxy -c` accepts it. What the runtime API switched on is off again after the next reload. Not judged are pools that are
made for it: with a state file or an agent, a `server-template` or other places to be filled, an answer of their own,
`option persist`, or a rule that asks for their servers (`nbsrv(app)`).

FAIL
    backend app
        server blue 127.0.0.1:3001 check disabled
        server green 127.0.0.1:3002 check disabled

FAIL
    backend app
        default-server check disabled
        server blue 127.0.0.1:3001

PASS
    backend app
        server blue 127.0.0.1:3001 check
        server green 127.0.0.1:3002 check disabled

PASS
    backend app
        default-server check disabled
        server blue 127.0.0.1:3001 enabled

PASS
    backend app
        errorfile 503 /etc/haproxy/errors/maintenance.http
        server blue 127.0.0.1:3001 check disabled
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy
from proxyswitch.lint.haproxy.names import is_are
from proxyswitch.lint.haproxy.out import agents, fate, places, state_file, unguarded

ID = "haproxy/all-disabled"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for pool in unguarded(config, [pool for pool in config.judged if _out(pool)]):
        out = is_are(pool.servers, "is", "are")
        yield pool.servers[0].row.found(f"{pool.name} has no server that is on: {out} disabled, and {fate(config, pool)}")


def _out(pool: Proxy) -> bool:
    return (
        not pool.on
        and not (state_file(pool) or agents(pool) or places(pool))
        and not (pool.option("persist") or pool.said(b"force-persist"))
    )
