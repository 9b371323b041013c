"""Nothing sends requests to a backend.

Perhaps it is left over, or the name in `use_backend` was changed. Not judged are a part of a config, backends with a stick
table, names that a `use_backend` put together at run time (`%[…]`) may mean, and any config with SPOE, whose backends are
named in another file. Whatever names it in a rule is a use, as `nbsrv(app)` or `track app/app1`.

FAIL
    global
    frontend www
        bind 127.0.0.1:8080
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check

    backend old
        server old1 127.0.0.1:3009 check

PASS
    global
    frontend www
        bind 127.0.0.1:8080
        use_backend app_%[req.hdr(x-app)] if { req.hdr(x-app) -m found }
        default_backend app

    backend app
        server app1 127.0.0.1:3001 check

    backend app_blue
        server blue1 127.0.0.1:3002 check
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.haproxy.config import Config
from proxyswitch.lint.haproxy.uses import unused

ID = "haproxy/backend-unused"
LEVEL: Level = "info"


def check(config: Config) -> Iterator[Found]:
    for proxy in unused(config):
        yield proxy.head.found(f"nothing sends requests to {proxy.name}", word=1)
