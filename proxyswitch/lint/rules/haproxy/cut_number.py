"""A number of a server line means something else to HAProxy, which says nothing: it stops at what is no digit.

`weight 50%` is 50, `maxconn 1k` is 1, `weight high` is 0, which is no traffic. A check `port` above 65535 becomes another
port, so that the server counts as dead.

FAIL
    backend app
        server app1 127.0.0.1:3001 check weight 50%

FAIL
    backend app
        server app1 127.0.0.1:3001 check maxconn 1k

FAIL
    backend app
        server app1 127.0.0.1:3001 check port 99999

PASS
    backend app
        server app1 127.0.0.1:3001 check weight 50 maxconn 1000 port 8080
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from proxyswitch.conf.haproxy.servers import ServerLine
from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config
from proxyswitch.lint.haproxy.server_words import lines, number, refused
from proxyswitch.model import MAX_PORT

ID = "haproxy/cut-number"
LEVEL: Level = "warning"
_NUMBERS_TEXT = "error-limit fall id max-reuse maxconn maxqueue minconn pool-max-conn port rise weight"
_NUMBERS = frozenset(_NUMBERS_TEXT.split())
_GOOD = re.compile(r"\s*[+-]?\d+|.*[$].*", re.ASCII)
_ODD_WEIGHT = re.compile(rb"weight[ \t]+(?!\d+(?:[ \t\r\n#]|\Z))")


def check(config: Config) -> Iterator[Found]:
    odd = any(_ODD_WEIGHT.search(document.data) for document in config.documents)
    for line in lines(config, _faulty, _odd if odd else None):
        for said in line:
            means = _means(said.word, said.value) if said.word in _NUMBERS else ""
            if means and not refused(said.word, said.value):
                yield said.row.found(f"{said.word} {said.value} is {means} for HAProxy", word=said.at + 1)


def _faulty(said: Mapping[str, str]) -> bool:
    return any(_means(word, said[word]) for word in _NUMBERS & said.keys())


def _odd(line: ServerLine) -> bool:
    """A weight is read already; what was cut off stands in the line only."""
    return _ODD_WEIGHT.search(line.document.data, line.line.start, line.line.end) is not None


@lru_cache(maxsize=10_000)
def _means(word: str, value: str) -> str:
    """What HAProxy makes of it; '' where that is what stands there."""
    if not value:
        return ""
    if not _GOOD.fullmatch(value):
        return str(number(value))
    port = number(value) if word == "port" else 0
    return f"port {port % (MAX_PORT + 1)}" if port > MAX_PORT else ""
