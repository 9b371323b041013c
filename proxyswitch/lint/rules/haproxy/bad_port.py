"""The port of a server is none: HAProxy refuses the config.

A port is at most 65535; a range stands in no server line. HAProxy takes port 0, and an address without a port, for the port
that the client came to, so that is not judged.

FAIL
    backend app
        server app1 127.0.0.1:70000

FAIL
    backend app
        server app1 127.0.0.1:http

FAIL
    backend app
        server app1 127.0.0.1:3001-3003

PASS
    backend app
        server app1 127.0.0.1:65535
        server app2 127.0.0.1
        server app3 unix@/run/app:99999
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.address import port
from proxyswitch.lint.haproxy.config import Config
from proxyswitch.model import MAX_PORT

ID = "haproxy/bad-port"
LEVEL: Level = "error"
_FINE = re.compile(r":\d{1,4}\Z", re.ASCII)  # most are, and it costs little to see it
# As src/tools.c reads it: an offset begins with a sign; behind digits only a dash is more than the end of the number.
_GOOD = re.compile(r"[+-].*|(?P<number>\d{1,9})?(?:(?!-)\D.*)?|\d{10,}.*", re.ASCII)


def check(config: Config) -> Iterator[Found]:
    for proxy in config.proxies:
        for server in proxy.lines:
            if _FINE.search(server.server.address):
                continue
            text = port(server.server.address)
            if _bad(text) and server.row.sure:
                at = 3 if server.line.template else 2
                yield server.row.found(f"{proxy.name}: {text} is no port: HAProxy refuses the config", word=at)


def _bad(text: str) -> bool:
    if text[:1].isalpha():
        return True
    found = _GOOD.fullmatch(text)
    return not found or int(found["number"] or 0) > MAX_PORT
