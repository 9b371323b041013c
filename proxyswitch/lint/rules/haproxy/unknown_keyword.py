"""A keyword is misspelt: no version of HAProxy knows it, but one that is a letter away.

HAProxy refuses the whole config. Each line of the global and proxy sections must begin with a keyword that may stand there.

FAIL
    backend app
        balence roundrobin
        server app1 127.0.0.1:3001 check

FAIL
    frontend www
        bind 127.0.0.1:8080
        default-backend app

PASS
    backend app
        balance roundrobin
        server app1 127.0.0.1:3001 check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy import keywords
from proxyswitch.lint.haproxy.config import Config
from proxyswitch.lint.near import slip

ID = "haproxy/unknown-keyword"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for kind, word, row in keywords.lines(config):
        meant = "" if keywords.known(word, kind) else slip(word, keywords.allowed(kind))
        if meant:
            yield row.found(f"unknown keyword {word}: did you mean {meant}?")
