"""A keyword that no HAProxy from 1.8 to 3.4 knows.

HAProxy refuses a line that it does not know, and with it the whole config. It may be for a newer version, or for an edition
with modules of its own.

FAIL
    backend app
        circuit-breaker on
        server app1 127.0.0.1:3001 check

PASS
    backend app
        option httpchk
        server app1 127.0.0.1:3001 check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy import keywords
from proxyswitch.lint.haproxy.config import Config
from proxyswitch.lint.near import slip

ID = "haproxy/keyword-not-known"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    for kind, word, row in keywords.lines(config):
        if _elsewhere(word, kind) or keywords.known(word, kind) or slip(word, keywords.allowed(kind)):
            continue
        yield row.found(f"no HAProxy up to 3.4 knows the keyword {word}")


def _elsewhere(word: str, kind: str) -> bool:
    """Another rule's: it is known, but not in such a section."""
    return keywords.known(word, "global" if kind != "global" else "frontend")
