"""A `use_backend` or `default_backend` is never reached: a line before it takes all that it could get.

The first `use_backend` that holds is taken. One without a condition takes all, and of two with the same condition the second
gets nothing.

FAIL
    frontend www
        bind 127.0.0.1:8080
        use_backend app
        use_backend api if { path_beg /api }

FAIL
    frontend www
        bind 127.0.0.1:8080
        use_backend app if { path_beg /api }
        use_backend api if { path_beg /api }
        default_backend app

PASS
    frontend www
        bind 127.0.0.1:8080
        use_backend canary if { rand(100) lt 5 }
        use_backend api if { path_beg /api }
        default_backend app
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.conditions import Condition, condition, shifting, unconditional
from proxyswitch.lint.haproxy.config import Config, Proxy, Row

ID = "haproxy/use-backend-shadowed"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    for proxy in config.proxies:
        if proxy.takes:
            yield from _of(proxy)


def _of(proxy: Proxy) -> Iterator[Found]:
    rows = [row for row in proxy.own(b"use_backend") if len(row.words) > 1]
    shifts = shifting(proxy.own(b"acl")) if len(rows) > 1 else set()
    seen: dict[tuple[str, ...], Row] = {}
    taken: Row | None = None
    for row in rows:
        found = condition(row)
        if taken:
            yield row.found(f"never reached: the use_backend of line {taken.line.number} takes every request")
        elif unconditional(row):
            taken = row
        elif found and row.sure and not _shifts(found, shifts):
            first = seen.setdefault(found.words, row)
            if first is not row:
                yield row.found(f"never reached: line {first.line.number} has the same condition", word=found.at)
    if taken and "%[" not in taken.words[1]:  # a name that there is not falls back to the default
        for row in proxy.own(b"default_backend"):
            yield row.found(f"never reached: the use_backend of line {taken.line.number} takes every request")


def _shifts(found: Condition, shifts: set[str]) -> bool:
    """Whether it may say something else when it is asked again."""
    return found.changes or any(name in shifts for name, _ in found.names)
