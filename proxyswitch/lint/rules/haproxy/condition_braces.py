"""A brace of a condition stands at a word, without a blank: HAProxy takes it for a part of a name.

An ACL without a name is written `{ path /x }`, each brace a word by itself. HAProxy refuses the config else.

FAIL
    frontend www
        bind 127.0.0.1:8080
        http-request deny if {path /x}

FAIL
    frontend www
        bind 127.0.0.1:8080
        http-request deny if { path /x}

PASS
    frontend www
        bind 127.0.0.1:8080
        http-request deny if !{ path /x } or { path_reg ^/a{2,3}$ }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.conditions import condition, rules
from proxyswitch.lint.haproxy.config import Config, Row

ID = "haproxy/condition-braces"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for rows in rules(config):
        for row in rows:
            if row.sure:
                yield from _braces(row)


def _braces(row: Row) -> Iterator[Found]:
    found = condition(row)
    if found is None:
        return
    if found.glued:
        yield row.found(f"a brace needs a blank on both sides: {{ … }}, not {found.glued.name}", word=found.glued.word)
    elif found.open:
        yield row.found("a { of this condition has no }, which must be a word by itself", word=found.at)
