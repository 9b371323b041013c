"""`track` or `use-server` names a server that is not there: HAProxy refuses the config.

A backend that `track backend/server` names may stand in another file, so that is judged in a whole config only.

FAIL
    backend app
        server app1 127.0.0.1:3001 track app2

FAIL
    backend app
        use-server blu if { path_beg /blue }
        server blue 127.0.0.1:3001 check

PASS
    backend app
        use-server blue if { path_beg /blue }
        server blue 127.0.0.1:3001 check
        server green 127.0.0.1:3002 track blue
        server other 127.0.0.1:3003 track checks/blue
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy
from proxyswitch.lint.near import meant

ID = "haproxy/server-undefined"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for pool in config.judged:
        yield from _tracked(config, pool)
        for row in pool.own(b"use-server"):
            name = [*row.words, ""][1]
            if "%" not in name and not _has(pool, name):
                yield row.found(f"{pool.name} has no server {name}{meant(name, pool.names)}", word=1)


def _tracked(config: Config, pool: Proxy) -> Iterator[Found]:
    for server in pool.lines:
        if track := server.said.get("track"):
            where, slash, name = track.rpartition("/")
            other = config.pool(where) if slash and where != pool.name else pool
            if other is None and config.whole and "$" not in track:
                yield server.row.found(f"track {track}: there is no backend {where}")
            elif other and not _has(other, name):
                yield server.row.found(f"track {track}: {other.name} has no server {name}{meant(name, other.names)}")


def _has(pool: Proxy, name: str) -> bool:
    """Whether it has a server of that name, or may have: one whose name is not known may be it."""
    return "$" in name or name in pool.names or pool.may_have_more or any("$" in known for known in pool.names)
