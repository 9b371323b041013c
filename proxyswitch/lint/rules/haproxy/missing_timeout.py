"""A proxy has no `timeout client`, `timeout connect` or `timeout server`: what hangs there, hangs for ever.

Such connections are never closed, so an old server does not drain and an old process does not end after a reload. HAProxy
only warns. A timeout of 0 is none; in mode tcp `timeout tunnel` stands for that of the server.

FAIL
    global
    frontend www
        bind 127.0.0.1:8080
        default_backend app

    backend app
        timeout connect 5s
        timeout server 30s
        server app1 127.0.0.1:3001 check

FAIL
    defaults
        mode http
        timeout connect 5s

    backend app
        server app1 127.0.0.1:3001 check

PASS
    defaults
        mode http
        timeout client 30s
        timeout connect 5s
        timeout server 30s

    listen www
        bind 127.0.0.1:8080
        server app1 127.0.0.1:3001 check

PASS
    backend in_a_file_of_its_own
        server app1 127.0.0.1:3001 check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Proxy, Row
from proxyswitch.lint.haproxy.known import inherits, may_be_off, mode

ID = "haproxy/missing-timeout"
LEVEL: Level = "warning"
_OLD = {"clitimeout": "client", "contimeout": "connect", "srvtimeout": "server"}  # names until 2.0


def check(config: Config) -> Iterator[Found]:
    for proxy in config.proxies:
        if inherits(config, proxy) and mode(config, proxy) in ("http", "tcp") and not may_be_off(proxy):
            missing = [name for name in _needed(proxy) if name not in _set(proxy)]
            if missing:
                what = " and no ".join(f"timeout {name}" for name in missing)
                yield proxy.head.found(f"{proxy.name} has no {what}{_zero(proxy, missing)}")


def _zero(proxy: Proxy, missing: list[str]) -> str:
    """A word for who wrote 0, and wonders."""
    said = {_read(row)[0] for row in _said(proxy)}
    return " (0 is none)" if said.intersection(missing) else ""


def _needed(proxy: Proxy) -> list[str]:
    return ["client"] * proxy.takes + ["connect", "server"] * bool(proxy.sends and proxy.servers)


def _set(proxy: Proxy) -> set[str]:
    """The timeouts that are in effect, or may be."""
    found: set[str] = set()
    for row in _said(proxy):
        name, value = _read(row)
        if value.strip("usmhd") != "0":
            found.add(name)
        elif row.sure:
            found.discard(name)
    if "tunnel" in found and proxy.mode == "tcp":
        found.add("server")
    return found


def _said(proxy: Proxy) -> list[Row]:
    return proxy.said(b"timeout", *(old.encode() for old in _OLD))


def _read(row: Row) -> tuple[str, str]:
    """Its name and its value, for the old spelling too."""
    words = row.words[1:] if row.keyword == b"timeout" else row.words
    name, value = [*words, "", ""][:2]
    return _OLD.get(name, name), value
