"""A keyword stands in a section where HAProxy refuses it.

Servers belong in a backend or a listen; rules and ACLs in no `defaults` section that has no name; settings of the process in
`global` alone. What is only ignored where it stands is not found here.

FAIL
    frontend www
        bind 127.0.0.1:8080
        server app1 127.0.0.1:3001 check

FAIL
    defaults
        mode http
        http-request set-header X-Proxy haproxy

FAIL
    global
        mode http

PASS
    listen www
        bind 127.0.0.1:8080
        server app1 127.0.0.1:3001 check

PASS
    defaults web
        mode http
        http-request set-header X-Proxy haproxy
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy import keywords
from proxyswitch.lint.haproxy.config import Config, Row
from proxyswitch.lint.haproxy.keywords import GLOBAL, IGNORED, PROXY, REFUSED, TUNES

ID = "haproxy/keyword-not-allowed"
LEVEL: Level = "error"
_OF_CLIENTS = ("connection", "session")


def check(config: Config) -> Iterator[Found]:
    for kind, word, row in keywords.lines(config):
        if kind == "global":
            if word in PROXY and word not in GLOBAL:
                yield row.found(f"{word} is not allowed in global: HAProxy refuses it{_where(word)}")
        elif word in REFUSED[kind]:
            where = "a defaults section without a name" if kind == "anonymous" else f"a {kind} section"
            yield row.found(f"{word} is not allowed in {where}: HAProxy refuses it{_where(word)}")
        elif word not in PROXY and (word in GLOBAL or word.startswith(TUNES)):
            yield row.found(f"{word} is allowed in global only: HAProxy refuses it here")
        elif kind == "backend" and word == "tcp-request" and _of_clients(row):
            yield row.found(f"tcp-request {row.words[1]} is not allowed in a backend: it is about clients", word=1)


def _of_clients(row: Row) -> bool:
    return row.keyword == b"tcp-request" and [*row.words, ""][1] in _OF_CLIENTS


def _where(word: str) -> str:
    """Where it may stand, if that is short."""
    kinds = [k for k in ("frontend", "backend", "listen") if word not in REFUSED[k] and word not in IGNORED.get(k, ())]
    return f", it belongs in a {' or '.join(kinds)}" if len(kinds) < 3 else ""
