"""A pool says how its servers are checked, but no server is: without `check` behind a server nothing is asked.

`option httpchk`, `http-check` and `tcp-check` lines only describe the check. Lines that a pool inherits are not judged: they
are for all pools.

FAIL
    backend app
        option httpchk GET /health
        server app1 127.0.0.1:3001

PASS
    backend app
        option httpchk GET /health
        server app1 127.0.0.1:3001 check

PASS
    defaults
        option httpchk GET /health
    backend app
        server app1 127.0.0.1:3001
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy, Row

ID = "haproxy/check-option-unused"
LEVEL: Level = "warning"
_OPTIONS_TEXT = (
    "external-check httpchk ldap-check mysql-check pgsql-check redis-check smtpchk spop-check ssl-hello-chk tcp-check"
)
_OPTIONS = frozenset(_OPTIONS_TEXT.split())
# a server that tracks another needs the same `http-check disable-on-404`
_USES = frozenset(("check", "track"))


def check(config: Config) -> Iterator[Found]:
    for pool in config.judged:
        if (row := _described(pool)) and all(_USES.isdisjoint(server.said) for server in pool.servers):
            what = " ".join(row.words[:2])
            yield row.found(f"{pool.name}: no server has `check`, so {what} does nothing")


def _described(pool: Proxy) -> Row | None:
    """Its first line about checks."""
    options = [row for row in pool.own(b"option") if row.words[1:2] and row.words[1] in _OPTIONS]
    return next(iter((*options, *pool.own(b"http-check", b"tcp-check"))), None)
