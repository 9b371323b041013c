"""Something is missing in a server line: HAProxy refuses the config.

A server has a name and an address, a `server-template` a prefix, how many there are, and an address.

FAIL
    backend app
        server app1

FAIL
    backend app
        server-template app app.example.com:80 check

PASS
    backend app
        server app1 127.0.0.1:3001
        server-template more 3 app.example.com:80 check

PASS
    backend app
        server $APP
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config

ID = "haproxy/server-incomplete"
LEVEL: Level = "error"
_WANTED = {b"server": "a name and an address", b"server-template": "a prefix, a number or a range, and an address"}


def check(config: Config) -> Iterator[Found]:
    for proxy in config.proxies:
        for row in proxy.unread:
            if row.sure and not any("$" in word for word in row.words):
                yield row.found(f"{row.words[0]} takes {_WANTED[row.keyword]}: HAProxy refuses this line")
