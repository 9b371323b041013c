"""A balancing method stands behind `keepalive`: no connection is kept.

The later directive takes the place of the earlier one. nginx accepts it, and warns: "load balancing method redefined".

FAIL
    upstream app {
        server 127.0.0.1:3001;
        server 127.0.0.1:3002;
        keepalive 8;
        least_conn;
    }

PASS
    upstream app {
        least_conn;
        server 127.0.0.1:3001;
        server 127.0.0.1:3002;
        keepalive 8;
    }
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxyswitch.conf.nginx.pools import BALANCERS
from proxyswitch.conf.text import Edit, Span, line_span
from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx.tree import Config, Item, Upstream

ID = "nginx/balancer-after-keepalive"
LEVEL: Level = "warning"
_ALONE = re.compile(rb"[ \t]*;[ \t]*(?:#[^\n]*)?\r?\n")


def check(config: Config) -> Iterator[Found]:
    for upstream in config.upstreams:
        kept = upstream.block.own(b"keepalive")
        if kept:
            yield from _after(upstream, kept[0])


def _after(upstream: Upstream, keepalive: Item) -> Iterator[Found]:
    items = upstream.block.items
    late = [item for item in items[items.index(keepalive) :] if item.name in BALANCERS]
    for item in late:
        message = f"{upstream.name}: {item.name.decode()} stands behind keepalive, so no connection is kept: write it before"
        yield item.found(message, *(_moved(keepalive, item) if item is late[-1] else ()))


def _moved(keepalive: Item, balancer: Item) -> Iterator[Edit]:
    """The line of keepalive below that of the method: above it, the method could refuse a backup server."""
    lines = [_line(item) for item in (keepalive, balancer)]
    if keepalive.document is balancer.document and all(lines):
        source, target = (line for line in lines if line)
        yield Edit(source, b"")
        yield Edit(Span(target.end, target.end), keepalive.document.data[slice(*source)])


def _line(item: Item) -> Span | None:
    """Its line, where nothing but a comment stands beside it."""
    data, line = item.document.data, line_span(item.document.data, item.word(0))
    before, after = data[line.start : item.word(0)], data[item.directive.words[-1][1] : line.end]
    return line if not before.strip() and _ALONE.fullmatch(after) else None
