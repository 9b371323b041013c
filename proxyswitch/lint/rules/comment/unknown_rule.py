"""A comment ignores a rule that there is not, or names none.

A misspelt name ignores nothing, and nobody would notice.

FAIL
    upstream app { server 127.0.0.1:3001; }  # proxyswitch: ignore=nginx/single-servr one is enough here

FAIL
    upstream app { server 127.0.0.1:3001; }  # proxyswitch: ignore

FAIL (sql)
    -- proxyswitch: ignore=sql/drop-colum
    ALTER TABLE book ADD COLUMN subtitle text;

PASS
    upstream app { server 127.0.0.1:3001; }  # proxyswitch: ignore=nginx/single-server one is enough here
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.ignores import Ignores

ID = "comment/unknown-rule"
LEVEL: Level = "error"


def check(ignores: Ignores, _ran: Iterable[str]) -> Iterator[Found]:
    from proxyswitch.lint import rules  # it holds this very module

    for ignore in ignores.all:
        at = ignore.span.start
        for name in ignore.rules:
            if not rules.known(name):
                yield Found(ignores.text, at, f"there is no rule {name!r}: see proxyswitch lint --list-rules")
        if not ignore.rules:
            yield Found(ignores.text, at, "this comment names no rule: write ignore=RULE and why")
