"""Two upstreams have the same name.

nginx refuses the whole config. Often the second is in a copy of a file that an include takes in as well. Names do not count
case.

FAIL
    http {
        upstream app { server 127.0.0.1:3001; }
        upstream App { server 127.0.0.1:3002; }
    }

PASS
    http {
        upstream app { server 127.0.0.1:3001; }
    }
    stream {
        upstream app { server 127.0.0.1:5432; }
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx.tree import Config, Item

ID = "nginx/duplicate-upstream"
LEVEL: Level = "error"


def check(config: Config) -> Iterator[Found]:
    first: dict[tuple[str, str], Item] = {}
    for upstream in config.upstreams:
        item = first.setdefault((upstream.context, upstream.name.lower()), upstream.item)
        if item is not upstream.item and upstream.name:
            yield upstream.item.found(f"there is an upstream {upstream.name} already: {_where(item, upstream.item)}", word=1)


def _where(item: Item, other: Item) -> str:
    where = item.document.where(item.directive)
    return "this file is included twice" if where == other.document.where(other.directive) else f"at {where}"
