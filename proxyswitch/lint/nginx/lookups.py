"""Passes with a variable whose host nginx must look up at each request, though no resolver is in effect."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from proxyswitch.lint.nginx import passes, targets
from proxyswitch.lint.nginx.targets import Target
from proxyswitch.lint.nginx.tree import Block, Config, Item, context_of
from proxyswitch.lint.nginx.variables import ANY

_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+|\[.*|unix:.*", re.ASCII)
_OWN_NAME = re.compile(r"\$\{?(?:http_)?host\b\}?")
_NAME = re.compile(r"(?:[a-z0-9-]+\.)+[a-z][a-z0-9-]*", re.IGNORECASE)  # with a dot: who asks for others may use an address


class Lookup(NamedTuple):
    """A pass, and a host that has no address."""

    item: Item
    host: str


def without_resolver(config: Config) -> Iterator[Lookup]:
    """Those of which it is certain: whatever the variables are, nginx knows no address for the host."""
    dynamic = any(name.startswith(b"dyups") for name in config.names())  # a module that takes upstreams at run time
    for item in () if dynamic else config.uses(*passes.HTTP):
        context = context_of(item.block)
        if "$" in "".join(item.args[:1]) and _no_resolver(item.block) and config.complete(context.encode()):
            found = [] if _unseen(config, item.block) else _targets(config, item)
            if found and all(_unknown(config, context, target) for target in found):
                yield Lookup(item, found[0].host.replace(ANY, "…"))


def _no_resolver(block: Block) -> bool:
    return block.sure(b"resolver") and not block.effective(b"resolver")


def _unseen(config: Config, block: Block) -> bool:
    """Whether something of its server block is not known: a variable may be set anywhere in it."""
    return id(block.inside(b"server")) in config.once(_hidden_servers)


def _hidden_servers(config: Config) -> set[int]:
    return {id(block.inside(b"server")) for block in config.all_blocks() if block.hidden}


def _targets(config: Config, item: Item) -> list[Target]:
    """Where it can go; one that goes to the name that the client asks for leads to the names of its server block."""
    server, text = item.block.inside(b"server"), item.args[0]
    names = [name for line in (server.own(b"server_name") if server else ()) for name in line.args]
    if _OWN_NAME.search(text) and names and all(_NAME.fullmatch(name) for name in names):
        return [target for name in names for target in targets.of(config, item, _OWN_NAME.sub(name, text))]
    return targets.of(config, item)


def _unknown(config: Config, context: str, target: Target) -> bool:
    """No upstream can have that name, no pass says that host outright, and it is no address.

    `ngx_http_upstream_init_request` compares ports too, and no upstream block has one.
    """
    start, more, _ = target.host.partition(ANY)
    names = config.once(_names)[context, bool(target.port)]
    at = bisect_left(names, start)
    found = names[at : at + 1]
    if not more:
        return not _ADDRESS.fullmatch(start) and found != [start]
    sure = re.search(r"[a-z]", start) and not start.startswith("unix:")
    return bool(sure) and not any(name.startswith(start) for name in found)


def _names(config: Config) -> dict[tuple[str, bool], list[str]]:
    """By context, and whether a port is asked for: upstreams, and the hosts of passes without a variable, which nginx has
    looked up when it started."""
    found: dict[tuple[str, bool], set[str]] = {
        (c, port): set() for c in ("http", "stream", "mail", "tcp") for port in (True, False)
    }
    for use in passes.all_of(config):
        if not use.variable:
            for port in (True, False):
                found[use.context, port].add(use.host.lower())
    for upstream in config.upstreams:
        found[upstream.context, False].add(upstream.name.lower())
    return {key: sorted(names) for key, names in found.items()}
