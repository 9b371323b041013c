"""Passes to an upstream that keeps connections."""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.nginx import targets
from proxyswitch.lint.nginx.tree import Config, Item, Upstream


def passes(config: Config, *names: bytes) -> Iterator[tuple[Item, Upstream]]:
    """The http passes of these names that can lead to one, each once, with the first such upstream."""
    seen: set[int] = set()
    for target in targets.all_of(config):
        if target.item.name in names and not target.port and id(target.item) not in seen:
            upstream = config.upstream(target.host)
            if upstream and upstream.block.own(b"keepalive") and target.item.block.inside(b"stream") is None:
                seen.add(id(target.item))
                yield target.item, upstream
