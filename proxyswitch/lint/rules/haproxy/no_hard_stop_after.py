"""Nothing limits how long an old process of HAProxy lives after a reload.

It stays until its last connection ends, and each websocket keeps one, with its memory. `hard-stop-after 30m` in `global`
cuts what is left then; `mworker-max-reloads` limits how many there are.

FAIL
    global
        maxconn 1000
    frontend www
        bind 127.0.0.1:8080

PASS
    global
        hard-stop-after 30m
    frontend www
        bind 127.0.0.1:8080

PASS
    global
        maxconn 1000
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config

ID = "haproxy/no-hard-stop-after"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    if config.whole and not (config.rows(b"hard-stop-after") or config.rows(b"mworker-max-reloads")):
        for head, _ in list(config.sections(b"global"))[:1]:
            yield head.found("after a reload an old process lives until its last connection ends: set `hard-stop-after 30m`")
