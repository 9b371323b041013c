"""`retries 0`: a request that could not be sent to its server fails at once.

It is tried neither again nor elsewhere, whatever `option redispatch` says. HAProxy takes a word that is no number for 0.

FAIL
    backend app
        retries 0
        server app1 127.0.0.1:3001 check

PASS
    defaults
        retries 0
    backend app
        retries 3
        server app1 127.0.0.1:3001 check

PASS
    backend app
        server app1 127.0.0.1:3001 check
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config, Row

ID = "haproxy/retries-off"
LEVEL: Level = "warning"
_NONE = re.compile(r"-.*|\+?0*(?:[^\d+$].*)?", re.ASCII)


def check(config: Config) -> Iterator[Found]:
    rows = {id(row.line): row for pool in config.judged for row in pool.said(b"retries")[-1:]}
    yield from (_found(row) for row in rows.values() if _off(row))


def _off(row: Row) -> bool:
    return len(row.words) > 1 and bool(_NONE.fullmatch(row.words[1]))


def _found(row: Row) -> Found:
    return row.found(f"retries {row.words[1]}: a request that could not be sent is not tried again (default: 3)", word=1)
