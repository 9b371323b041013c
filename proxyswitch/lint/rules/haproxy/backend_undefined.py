"""A frontend sends requests to a backend that is not there.

HAProxy refuses such a config. Of several `default_backend` lines it looks at the last, which may be one of `defaults`. Not
judged are names put together at run time (`%[…]`), names with a variable, and frontends that are `disabled`.

FAIL
    global
    frontend www
        bind 127.0.0.1:8080
        default_backend ap

    backend app
        server app1 127.0.0.1:3001 check

PASS
    global
    frontend www
        bind 127.0.0.1:8080
        use_backend %[req.hdr(host),lower] if { req.hdr(host) -m found }
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check

PASS
    frontend www
        bind 127.0.0.1:8080
        default_backend in_another_file
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy, Row
from proxyswitch.lint.near import meant

ID = "haproxy/backend-undefined"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for proxy in config.proxies if config.whole else ():
        for row in _sends(proxy):
            name = [*row.words, ""][1]
            if name and "%" not in name and "$" not in name and not config.pool(name):
                yield row.found(
                    f"there is no backend {name}{meant(name, (pool.name for pool in config.proxies if pool.sends))}", word=1
                )


def _sends(proxy: Proxy) -> list[Row]:
    """The lines that count; HAProxy reads those of a backend too, and does not like them, but then looks for the name."""
    rows = (proxy.said if proxy.takes else proxy.own)(b"default_backend", b"use_backend")
    if not rows or proxy.off or not proxy.head.sure:
        return []
    last = [row for row in rows if row.keyword == b"default_backend"][-1:]
    return [row for row in (*(row for row in rows if row.keyword == b"use_backend"), *last) if row.sure]
