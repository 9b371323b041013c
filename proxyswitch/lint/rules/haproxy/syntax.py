"""HAProxy cannot read the file: a quote is open, a section or a directive is unknown, an `.if` has no `.endif`.

HAProxy refuses the whole config, so the next reload, or worse the next start, fails. Nothing else is judged in such a file.

FAIL
    frontend www
        bind "127.0.0.1:8080

FAIL
    frontnd www
        bind 127.0.0.1:8080

PASS
    frontend www
        bind 127.0.0.1:8080
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config
from proxyswitch.lint.places import offset

ID = "haproxy/syntax"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for document, error in config.broken:
        yield Found(document, offset(document.data, error.line, error.column), error.reason)
