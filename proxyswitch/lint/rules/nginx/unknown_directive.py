"""A directive is misspelled, or is the rest of a value that a `;` cut: nginx does not know it.

nginx refuses the whole config, so the next reload, or worse the next start, fails. A value with a `;` in it needs quotes.

FAIL
    server {
        location / {
            proxy_pas http://app;
        }
    }

FAIL
    http {
        upstream app {
            sever 127.0.0.1:3001;
        }
    }

FAIL
    location / {
        proxy_set_header Forwarded for=$remote_addr; proto=$scheme;
    }

PASS
    server {
        location / {
            content_by_lua_block { ngx.say("hello") }
            more_set_headers "Server: shop";
            my_module_speed 3;
        }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import spelling
from proxyswitch.lint.nginx.tree import Config

ID = "nginx/unknown-directive"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    for item, meant in spelling.unknown(config):
        name = item.name.decode("utf-8", "replace")
        if meant:
            yield item.found(f"nginx has no directive {name}: did you mean {meant}?")
        elif spelling.no_name(name):
            yield item.found(f"{name} is no directive: is it part of a value that needs quotes?")
