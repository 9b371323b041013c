"""A backend has no server: every request to it gets 503.

`haproxy -c` accepts it, and so it goes live when a file was cut short. A backend needs none that answers itself (as by
`http-request return`, a stats page, or an `errorfile 503` of its own), that only holds a stick table, or that `dispatch` or
`option transparent` sends elsewhere. A `listen` with neither servers nor another backend is judged as well. Not judged are
dead ends: backends that say nothing which is of use to servers (the manual shows one, in "http-request do-resolve"), or to
which nothing sends requests; and those whose servers stand in a variable, or are named at run time (`use-server %[…]`).

FAIL
    backend app
        balance roundrobin

PASS
    backend app
        server app1 127.0.0.1:3001 check

FAIL
    listen app
        bind 127.0.0.1:8080

PASS
    backend maintenance
        errorfile 503 /etc/haproxy/errors/maintenance.http

PASS
    backend counters
        stick-table type ip size 100k expire 30s store conn_cur

PASS
    backend nobody_there
        mode http

PASS
    backend old
        http-request redirect location https://example.com
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.answers import answers
from proxyswitch.lint.haproxy.config import Config, Proxy
from proxyswitch.lint.haproxy.out import fate
from proxyswitch.lint.haproxy.uses import unused

ID = "haproxy/no-servers"
LEVEL: Level = "error"
# What a dead end says, too: it is not about servers.
_OF_ALL = (b"acl", b"description", b"guid", b"id", b"log", b"log-tag", b"mode", b"no", b"option")
_OF_SERVERS = frozenset(("allbackups", "persist", "prefer-last-server", "redispatch"))


def check(config: Config) -> Iterator[Found]:
    empty = [proxy for proxy in config.proxies if proxy.sends and proxy.head.sure and not (proxy.servers or proxy.unread)]
    idle = {id(proxy) for proxy in unused(config)} if empty else set()
    for proxy in empty:
        if id(proxy) not in idle and not _needs_none(proxy):
            yield proxy.head.found(f"{proxy.name} has no server: {fate(config, proxy)}")


def _needs_none(proxy: Proxy) -> bool:
    elsewhere = proxy.kind == "listen" and proxy.said(b"default_backend", b"use_backend")
    done = elsewhere or proxy.own(b"stick-table") or proxy.off or answers(proxy)
    return bool(done or _at_run_time(proxy) or _dead_end(proxy))


def _dead_end(proxy: Proxy) -> bool:
    """Whether it may be meant to have none."""
    options = (row.words[1:2] for row in proxy.own(b"option"))
    rules = any(row.keyword not in _OF_ALL for row in proxy.rows)
    return proxy.kind == "backend" and not rules and not any(_about_servers(name) for name in options)


def _about_servers(option: list[str]) -> bool:
    return any(name in _OF_SERVERS or name.endswith(("chk", "-check")) for name in option)


def _at_run_time(proxy: Proxy) -> bool:
    """Whether a program that names its servers in a rule also adds them."""
    return any("%" in row.words[1] for row in proxy.own(b"use-server") if len(row.words) > 1)
