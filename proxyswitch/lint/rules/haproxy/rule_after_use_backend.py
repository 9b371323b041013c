"""A rule stands after a `use_backend` and is evaluated before it all the same.

HAProxy evaluates a section by kinds of rules: `tcp-request`, `http-request`, `redirect`, and `use_backend` last, wherever
they stand. It warns, because the order of the lines misleads.

FAIL
    frontend www
        bind 127.0.0.1:8080
        use_backend api if { path_beg /api }
        http-request deny if { path_beg /admin }
        default_backend app

PASS
    frontend www
        bind 127.0.0.1:8080
        http-request deny if { path_beg /admin }
        use_backend api if { path_beg /api }
        default_backend app
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy, Row

ID = "haproxy/rule-after-use-backend"
LEVEL: Level = "warning"
_BEFORE = (b"http-request", b"monitor", b"redirect", b"tcp-request")


def check(config: Config) -> Iterator[Found]:
    """The first such rule of a section."""
    for proxy in config.proxies:
        if proxy.takes:
            yield from _of(proxy)


def _of(proxy: Proxy) -> Iterator[Found]:
    first: Row | None = None
    for row in proxy.own(b"use_backend", *_BEFORE):
        if row.keyword == b"use_backend":
            first = first or (row if row.sure else None)
        elif first and row.sure and row.words[1:2] != ["inspect-delay"]:
            name = row.keyword.decode()
            yield row.found(f"{name} is evaluated before the use_backend of line {first.line.number}: write it above")
            return
