"""The health check of a pool as its config describes it, where a plain GET can stand for it.

`option httpchk` and `http-check send` say what HAProxy asks, `http-check expect` which status it wants; without one any 2xx
or 3xx will do (configuration manual, `option httpchk`). Everything else (other methods, scripts, patterns) is HAProxy's own.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from proxyswitch.conf.haproxy.pools import Backend

FINE = frozenset(range(200, 400))
_HOST = re.compile(r"\r\nHost: *(\S+)", re.IGNORECASE)
_TAGS = ("comment", "min-recv", "ok-status", "error-status", "tout-status", "on-success", "on-error", "status-code")


class HttpCheck(NamedTuple):
    """A GET of `path`, with the Host header `host` if it is not empty, and the statuses that are healthy."""

    path: str
    host: str = ""
    statuses: frozenset[int] = FINE


def http_check(backend: Backend) -> HttpCheck | None:
    """What to ask a server of the pool; None where a connection is all that we can try."""
    option = backend.option("httpchk")
    if option is None or backend.said(b"external-check", b"tcp-check"):
        return None
    sent = [words[2:] for words in backend.said(b"http-check") if words[1:2] == ["send"]]
    if len(sent) > 1 or any(w[1:2] in (["connect"], ["set-var"]) for w in backend.said(b"http-check")):
        return None
    method, path, host = _sent(sent[0]) if sent else _asked(option[2:])
    statuses = _expected(backend)
    return HttpCheck(path or "/", host, statuses) if method == "GET" and statuses else None


def _asked(words: list[str]) -> tuple[str, str, str]:
    """`option httpchk [METHOD] URI [VERSION]`; a single word is the URI, and OPTIONS the method."""
    if len(words) < 2:
        return "OPTIONS", "".join(words), ""
    found = _HOST.search(" ".join(words[2:]))
    return words[0], words[1], found[1] if found else ""


def _sent(words: list[str]) -> tuple[str, str, str]:
    """`http-check send meth M uri U hdr NAME VALUE`."""
    method, path, host = "", "", ""
    at = 0
    while at < len(words):
        word, value = words[at], words[at + 1] if at + 1 < len(words) else ""
        if word == "meth":
            method = value
        elif word == "uri":
            path = value
        elif word == "hdr" and value.lower() == "host":
            host = words[at + 2] if at + 2 < len(words) else ""
        elif word in ("body", "body-lf", "uri-lf"):
            return "", "", ""
        at += 3 if word == "hdr" else 2
    return method or "OPTIONS", path, host


def _expected(backend: Backend) -> frozenset[int]:
    """The statuses of a single `http-check expect status`; none for what only HAProxy can judge."""
    rules = [words[2:] for words in backend.said(b"http-check") if words[1:2] == ["expect"]]
    if not rules:
        return FINE
    words = rules[0]
    while words[:1] and words[0] in _TAGS:
        words = words[2:]
    if len(rules) > 1 or len(words) != 2 or words[0] != "status":
        return frozenset()
    return _codes(words[1])


def _codes(text: str) -> frozenset[int]:
    codes: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"(\d{3})(?:-(\d{3}))?", part.strip(), re.ASCII)
        if not found:
            return frozenset()
        codes.update(range(int(found[1]), int(found[2] or found[1]) + 1))
    return frozenset(codes)
