"""Upstreams whose counters the workers of nginx do not share."""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.lint.nginx.tree import Config, Upstream


def apart(config: Config) -> Iterator[Upstream]:
    """Those without a `zone`, where nginx has several workers; one is what it has unless told otherwise."""
    told = [item.args for item in config.root.own(b"worker_processes")]
    if not config.whole or not told or told[-1] == ["1"] or "$" in "".join(told[-1]):
        return
    for upstream in config.upstreams:
        if not upstream.block.hidden and not upstream.block.own(b"zone"):
            yield upstream
