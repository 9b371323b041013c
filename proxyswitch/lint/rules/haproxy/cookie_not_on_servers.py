"""A pool keeps clients by a cookie, but servers have no cookie value: their clients do not come back to them.

HAProxy inserts no cookie for such a server, and takes away one that the client has. A backup may do without, so that nobody
stays there. Not judged are `dynamic` cookies, and a cookie that a pool inherits and none of its servers uses.

FAIL
    backend app
        mode http
        cookie SRV insert indirect nocache
        server app1 127.0.0.1:3001 check cookie app1
        server app2 127.0.0.1:3002 check

PASS
    backend app
        mode http
        cookie SRV insert indirect nocache
        server app1 127.0.0.1:3001 check cookie app1
        server app2 127.0.0.1:3002 check cookie app2
        server spare 127.0.0.1:3003 check backup

PASS
    backend app
        mode http
        cookie SRV insert dynamic
        dynamic-cookie-key secret
        server app1 127.0.0.1:3001 check
        server app2 127.0.0.1:3002 check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy, ProxyServer
from proxyswitch.lint.haproxy.names import is_are

ID = "haproxy/cookie-not-on-servers"
LEVEL: Level = "warning"
_MODES = frozenset(("insert", "prefix", "rewrite"))


def check(config: Config) -> Iterator[Found]:
    for pool in config.judged:
        if len(pool.servers) > 1 and pool.mode == "http" and (name := _cookie(pool)) and (bare := _bare(pool)):
            who = is_are(bare, "has", "have")
            yield bare[0].row.found(f"{pool.name}: {who} no `cookie`, so the cookie {name} brings nobody back")


def _cookie(pool: Proxy) -> str:
    """The name of the cookie that keeps clients; '' for none."""
    _, *words = next((row.words for row in reversed(pool.said(b"cookie"))), [""])
    return words[0] if not _MODES.isdisjoint(words[1:]) and "dynamic" not in words[1:] else ""


def _bare(pool: Proxy) -> list[ProxyServer]:
    """The servers without one, where there is a choice."""
    bare = [server for server in pool.servers if "cookie" not in server.said and not server.server.backup]
    count = sum(not server.server.backup for server in pool.servers) if bare else 0
    return bare if count > 1 and (len(bare) < count or pool.own(b"cookie")) else []
