"""A keyword stands in a section where HAProxy ignores it.

A backend has no clients, so `bind`, `use_backend` or `default_backend` do nothing there; a frontend has no servers, so
`balance` or `cookie` do nothing. HAProxy only warns, and somebody believes in the line.

FAIL
    backend app
        default_backend other
        server app1 127.0.0.1:3001 check

FAIL
    frontend www
        bind 127.0.0.1:8080
        balance roundrobin
        default_backend app

PASS
    defaults
        balance roundrobin

    listen www
        bind 127.0.0.1:8080
        cookie SRV insert
        server app1 127.0.0.1:3001 cookie a
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy import keywords
from proxyswitch.lint.haproxy.config import Config
from proxyswitch.lint.haproxy.keywords import IGNORED

ID = "haproxy/keyword-ignored"
LEVEL: Level = "warning"


def check(config: Config) -> Iterator[Found]:
    for kind, word, row in keywords.lines(config):
        if word in IGNORED.get(kind, ()):
            yield row.found(f"HAProxy ignores {word} in a {kind}")
