"""nginx cannot read the file: a brace, a semicolon or a quote is missing.

nginx refuses the whole config, so the next reload, or worse the next start, fails. Nothing else is judged in such a file.
Of a template, check what comes out of it.

FAIL
    server {
        listen 80;

FAIL
    proxy_set_header Host $host

FAIL
    add_header X-Note "it's";extra"

PASS
    server {
        listen 80;
    }
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxyswitch.conf.text import position
from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx.tree import Config
from proxyswitch.lint.places import offset

ID = "nginx/syntax"
LEVEL: Level = "error"
_TEMPLATE = re.compile(rb"\{\{.*?\}\}|\{%.*?%\}|<%.*?%>")
_REPEATED = re.compile(rb"^[^#'\"\n;]*[^\s$'\"{;](\{\d+(?:,\d*)?\})", re.M)


def check(config: Config) -> Iterator[Found]:
    for document, error in config.broken:
        at = offset(document.data, error.line, error.column)
        yield Found(document, at, error.reason + _hint(document.data))


def _hint(data: bytes) -> str:
    """What may lie behind it, far away from where nginx stops."""
    repeated = _REPEATED.search(data)
    if _TEMPLATE.search(data):
        return ": is this a template? Check what comes out of it"
    if repeated:
        line = position(data, repeated.start(1)).line
        return f": the {repeated[1].decode()} of line {line} is part of a regular expression, which needs quotes then"
    return ""
