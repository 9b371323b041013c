"""The statistics page is open to the network, without a password.

It tells names, addresses and states of all servers; with `stats admin` whoever opens it can stop them.

FAIL
    listen stats
        mode http
        bind *:8404
        stats enable
        stats admin if TRUE

PASS
    listen stats
        mode http
        bind 127.0.0.1:8404
        stats enable

PASS
    listen stats
        mode http
        bind *:8404
        http-request deny unless { src 10.0.0.0/8 }
        stats enable
        stats uri /stats

PASS
    listen stats
        mode http
        bind *:8404
        stats uri /stats
        stats auth admin:secret
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.binds import Address, addresses
from proxyswitch.lint.haproxy.config import Config, Proxy, Row
from proxyswitch.lint.haproxy.known import may_be_off, mode

ID = "haproxy/stats-open"
LEVEL: Level = "warning"
_GUARDS = ("auth", "deny", "redirect", "reject", "return", "silent-drop", "tarpit")


def check(config: Config) -> Iterator[Found]:
    """A line of `defaults` counts for many, and is told once."""
    told: set[int] = set()
    for proxy in config.proxies:
        stats = [row for row in proxy.said(b"stats") if len(row.words) > 1]
        if stats and proxy.takes and mode(config, proxy) == "http" and not may_be_off(proxy):
            where = _open(proxy)
            row = next((row for row in stats if row.words[1] == "admin"), stats[0])
            if where and not _guarded(proxy, stats) and any(row.sure for row in stats) and id(row.line) not in told:
                told.add(id(row.line))
                yield _found(proxy, row, where)


def _found(proxy: Proxy, row: Row, where: Address) -> Found:
    more = " and lets anybody stop servers" if row.words[1] == "admin" else ""
    return row.found(
        f"the statistics page of {proxy.name} is open on {where}{more}: write stats auth, or bind it to 127.0.0.1"
    )


def _open(proxy: Proxy) -> Address | None:
    """An address that other machines reach, and no certificate of theirs is asked for."""
    for row in proxy.own(b"bind"):
        if row.sure and "verify" not in row.words:
            for address in addresses([*row.words, ""][1]):
                if address.local is False:
                    return address
    return None


def _guarded(proxy: Proxy, stats: list[Row]) -> bool:
    """Whether some rule keeps clients away, be it for another reason."""
    rules = proxy.said(b"http-request", b"tcp-request", b"block", b"redirect")
    return any(row.words[1] in ("auth", "http-request") for row in stats) or any(
        row.keyword in (b"block", b"redirect") or any(word in _GUARDS for word in row.words[1:3]) for row in rules
    )
