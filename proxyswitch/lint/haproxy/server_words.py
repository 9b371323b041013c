"""The keywords of server lines: which there are, and which values HAProxy takes (`srv_parse_*`, src/server.c)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from proxyswitch.conf.haproxy.servers import ONE_ARGUMENT, ServerLine, grouped
from proxyswitch.lint.haproxy.config import Config, Row

# Those without an argument, of 2.0 to 3.3 (configuration manual, section 5.2); one with an argument that came later.
_FLAGS = (
    "agent-check allow-0rtt backup check check-reuse-pool check-send-proxy check-ssl check-via-socks4 disabled enabled"
    " force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12 force-tlsv13 ktls no-agent-check no-backup no-check"
    " no-check-reuse-pool no-check-send-proxy no-check-ssl no-renegotiate no-send-proxy no-send-proxy-v2"
    " no-send-proxy-v2-ssl no-send-proxy-v2-ssl-cn no-sni-auto no-ssl no-ssl-reuse no-sslv3 no-tfo no-tls-tickets no-tlsv10"
    " no-tlsv11 no-tlsv12 no-tlsv13 no-verifyhost non-stick renegotiate send-proxy send-proxy-v2 send-proxy-v2-ssl"
    " send-proxy-v2-ssl-cn sni-auto ssl ssl-reuse sslv3 stick strict-maxconn tfo tls-tickets tlsv10 tlsv11 tlsv12 tlsv13"
    " check-pool-conn-name"
)
KNOWN = ONE_ARGUMENT | frozenset(_FLAGS.split())
_TIMES = frozenset(["agent-inter", "downinter", "fastinter", "inter", "pool-purge-delay", "slowstart"])
_NOT_ZERO = frozenset(["agent-inter", "downinter", "fastinter", "inter"])
_COUNTS = frozenset(["error-limit", "fall", "id", "rise"])
_WORDS = {
    "observe": ("layer4", "layer7", "none"),
    "on-error": ("fail-check", "fastinter", "mark-down", "sudden-death"),
    "on-marked-down": ("shutdown-sessions",),
    "on-marked-up": ("shutdown-backup-sessions",),
    "verify": ("none", "required"),
}
JUDGED = _TIMES | _COUNTS | _WORDS.keys()
_TIME = re.compile(r"(?P<number>\d+)(?P<unit>us|ms|[smhd]|$)", re.ASCII)
_MILLISECONDS = {"us": 0.001, "ms": 1, "": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST = 2**31 - 1
_NUMBER = re.compile(r"\s*[+-]?\d+", re.ASCII)
MAX_WEIGHT = 256


class Said(NamedTuple):
    """A keyword with its value at a place: of a server line, or of a `default-server` line. `at` is the keyword's number."""

    row: Row
    at: int
    word: str
    value: str


def lines(
    config: Config, faulty: Callable[[Mapping[str, str]], bool], odd: Callable[[ServerLine], bool] | None = None
) -> Iterator[list[Said]]:
    """What the `default-server` lines say, and those server lines that are `odd`, or for which something `faulty` is in
    effect: it need not be in the line itself. HAProxy reads them all, even in a proxy that is off."""
    bad = {key for key, said in config.said.items() if faulty(said)}
    for proxy in config.proxies if bad or odd else ():
        for server in proxy.lines:
            if (id(server.said) in bad or (odd and odd(server.line))) and server.row.sure:
                yield _said(server.row, 4 if server.line.template else 3)
    for row in config.rows(b"default-server"):
        if row.sure:
            yield _said(row, 1)


def _said(row: Row, at: int) -> list[Said]:
    found: list[Said] = []
    for group in grouped(row.words[at:]):
        found.append(Said(row, at, group[0], group[1] if len(group) > 1 else ""))
        at += len(group)
    return found


@lru_cache(maxsize=10_000)
def refused(word: str, value: str) -> str:
    """What HAProxy expects instead of a value that it refuses; '' for one that it takes, or that cannot be known."""
    if not value or "$" in value:
        return ""
    if word in _WORDS:
        return "" if value in _WORDS[word] else " or ".join(_WORDS[word])
    if word in _TIMES:
        return "" if _is_time(value, word not in _NOT_ZERO) else "a time such as 500ms or 2s"
    if word in _COUNTS:
        return "" if number(value) > 0 else "a number above 0"
    if word == "weight":
        return "" if 0 <= number(value) <= MAX_WEIGHT else f"0 to {MAX_WEIGHT}"
    return ""


def _is_time(value: str, zero: bool) -> bool:
    found = _TIME.match(value)
    if not found:
        return False
    length = int(found["number"]) * _MILLISECONDS[found["unit"]]
    return (zero or length > 0) and length <= _LONGEST


def number(value: str) -> int:
    """As HAProxy reads it (`atol`): what follows the digits does not count, and no digits are 0."""
    found = _NUMBER.match(value)
    return int(found[0]) if found else 0
