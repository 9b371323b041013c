"""An address is bound twice: which of the two gets a connection is left to chance.

HAProxy accepts it, and Linux spreads the connections over both sockets; of a unix socket only the last one is reached. Lines
with their own `process` or `thread`, for other interfaces, or the same line once more in one section are not judged.

FAIL
    frontend www
        bind :8080
        default_backend app

    frontend api
        bind *:8080
        default_backend api

FAIL
    frontend www
        bind :443 ssl crt /etc/haproxy/a.pem
        bind :443 ssl crt /etc/haproxy/b.pem
        default_backend app

PASS
    frontend www
        bind :8080
        bind 127.0.0.1:8080
        bind [::]:8080 v6only
        bind quic4@:8080
        default_backend app
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.binds import Address, addresses
from proxyswitch.lint.haproxy.config import Config, Proxy, Row
from proxyswitch.lint.haproxy.known import may_be_off

ID = "haproxy/duplicate-bind"
LEVEL: Level = "error"
_PLACES = ("interface", "namespace")
_SPLIT = ("process", "thread")
_SAME = frozenset(("backlog", "id", "maxconn", "name", "nice", "shards"))  # with a value; they do not change what is served


def check(config: Config) -> Iterator[Found]:
    seen: dict[tuple[Address, tuple[str, ...]], tuple[Proxy, Row]] = {}
    for proxy in config.proxies:
        if not proxy.takes or may_be_off(proxy) or proxy.said(b"bind-process"):
            continue
        for row in proxy.own(b"bind"):
            yield from _of_row(proxy, row, seen)


def _of_row(proxy: Proxy, row: Row, seen: dict[tuple[Address, tuple[str, ...]], tuple[Proxy, Row]]) -> Iterator[Found]:
    words = row.words
    if not row.sure or any(word in words for word in _SPLIT) or any("$" in word for word in words):
        return
    places = tuple(_value(words, name) for name in _PLACES)
    told = False
    for address in addresses([*words, ""][1]):
        other, first = seen.setdefault((address, places), (proxy, row))
        clash = first is not row and (other is not proxy or _options(first.words) != _options(words))
        if clash and not told:
            told = True
            yield row.found(_message(address, proxy, other, first), word=1)


def _message(address: Address, proxy: Proxy, other: Proxy, first: Row) -> str:
    where = "here" if other is proxy else f"by {other.kind} {other.name}"
    place = f"{address} is bound {where} already (line {first.line.number})"
    if address.kind == "abns":
        return f"{place}: HAProxy does not start"
    return f"{place}: " + ("only one is reached" if address.kind == "unix" else "connections go to either, by chance")


def _value(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words[2:-1] else ""


def _options(words: list[str]) -> list[str]:
    """What may change how a connection is served."""
    skipped = {at + n for at, word in enumerate(words) if word in _SAME for n in (0, 1)}
    return sorted(word for at, word in enumerate(words) if at > 1 and at not in skipped)
