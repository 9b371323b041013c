"""A rule is never reached: one of its kind before it ends the evaluation for every request.

`http-request deny`, `return`, `redirect` or `allow` without a condition is the last rule of its kind that HAProxy looks at.

FAIL
    frontend www
        bind 127.0.0.1:8080
        http-request deny
        http-request set-header X-Forwarded-Proto https

PASS
    frontend www
        bind 127.0.0.1:8080
        http-request redirect scheme https unless { ssl_fc }
        http-request set-header X-Forwarded-Proto https
        http-response deny
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.conditions import SECTIONS, unconditional
from proxyswitch.lint.haproxy.config import Config, Row

ID = "haproxy/rule-unreachable"
LEVEL: Level = "warning"
_STREAM = ("accept", "reject")
# A set of rules, and what ends it.
_ENDS = {
    "http-request": ("allow", "auth", "deny", "redirect", "reject", "return", "silent-drop", "tarpit"),
    "http-response": ("allow", "deny", "redirect", "return"),
    "http-after-response": ("allow",),
    "tcp-request connection": _STREAM,
    "tcp-request session": _STREAM,
    "tcp-request content": _STREAM,
    "tcp-response content": ("accept", "reject", "close"),
}


def check(config: Config) -> Iterator[Found]:
    for _, rows in config.sections(*SECTIONS):
        ended: dict[str, Row] = {}
        told: set[str] = set()
        for row in rows:
            if row.keyword.startswith((b"http-", b"tcp-")):
                yield from _of(row, ended, told)


def _of(row: Row, ended: dict[str, Row], told: set[str]) -> Iterator[Found]:
    """The first such rule of each kind."""
    words = row.words
    size = 2 if words[0].startswith("tcp") else 1
    rules, action = " ".join(words[:size]), words[size : size + 1]
    if rules in ended and rules not in told:
        told.add(rules)
        yield row.found(f"never reached: the {rules} of line {ended[rules].line.number} ends every evaluation")
    elif action and action[0] in _ENDS.get(rules, ()) and unconditional(row):
        ended[rules] = row
