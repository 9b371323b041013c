"""`server-state-file` is there, and no backend loads states from it.

A file of states is only read where `load-server-state-from-file global` is in effect, in `defaults` or in a backend.

FAIL
    global
        server-state-file /var/lib/haproxy/state

    frontend www
        bind 127.0.0.1:8080
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check

PASS
    global
        server-state-file /var/lib/haproxy/state

    defaults
        load-server-state-from-file global

    frontend www
        bind 127.0.0.1:8080
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config

ID = "haproxy/state-file-unused"
LEVEL: Level = "info"
_LOADS = b"load-server-state-from-file"


def check(config: Config) -> Iterator[Found]:
    files = config.rows(b"server-state-file", b"global") if config.whole else []
    loads = config.rows(_LOADS, b"defaults", b"backend", b"listen")
    if not any(row.words[1:2] == ["global"] or "$" in "".join(row.words) for row in loads):
        for row in files:
            if row.sure:
                yield row.found("nothing loads it: write load-server-state-from-file global in defaults")
