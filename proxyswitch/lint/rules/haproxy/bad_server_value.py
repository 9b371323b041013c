"""A server line has a value that HAProxy refuses: a weight above 256, an interval of 0, an odd unit.

`haproxy -c` says so as well; here it is said before the file gets to the server.

FAIL
    backend app
        server app1 127.0.0.1:3001 check weight 300

FAIL
    backend app
        server app1 127.0.0.1:3001 check inter 2x

FAIL
    backend app
        default-server check fall 0
        server app1 127.0.0.1:3001

PASS
    backend app
        server app1 127.0.0.1:3001 check weight 256 inter 2500 fastinter 500ms rise 2 fall 3 slowstart 0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from proxyswitch.conf.haproxy.servers import ServerLine
from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config
from proxyswitch.lint.haproxy.server_words import JUDGED, MAX_WEIGHT, lines, refused

ID = "haproxy/bad-server-value"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    weights = {server.server.weight for proxy in config.proxies for server in proxy.servers}
    for line in lines(config, _faulty, _odd if any(map(_bad_weight, weights)) else None):
        for said in line:
            if wanted := refused(said.word, said.value):
                yield said.row.found(f"{said.word} {said.value} is refused: it takes {wanted}", word=said.at + 1)


def _faulty(said: Mapping[str, str]) -> bool:
    return any(refused(word, said[word]) for word in JUDGED & said.keys())


def _odd(line: ServerLine) -> bool:
    """A weight is read already: one below 0 as 0."""
    return _bad_weight(line.server.weight)


def _bad_weight(weight: int) -> bool:
    return not 0 < weight <= MAX_WEIGHT
