"""Passes to a name that is no upstream, in a config of which all upstreams are known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from proxyswitch.lint.nginx import addresses, passes, typos
from proxyswitch.lint.nginx.passes import Pass
from proxyswitch.lint.nginx.tree import Config


class Undefined(NamedTuple):
    """One of them. `refused`: nginx does not take it for a host; `near`: the upstream that it is a slip of, or ''."""

    use: Pass
    refused: bool
    near: str


def names(config: Config) -> list[Undefined]:
    """All of them, in their order."""
    return config.once(_all)


def _all(config: Config) -> list[Undefined]:
    return list(_find(config))


def _find(config: Config) -> Iterator[Undefined]:
    for use in passes.all_of(config):
        refused = _needs_port(use)
        known = config.upstream(use.host, use.context) or not config.complete(use.context.encode())
        if (use.plain or refused) and not known and use.context != "tcp":
            yield Undefined(use, refused, _near(config, use))


def _near(config: Config, use: Pass) -> str:
    """What the name is a slip of; nothing where a server line, or a pass with a port, shows that there is such a host."""
    host = use.host.lower() in config.once(_hosts)
    return "" if host else typos.near(use.host, config.once(_index).get(use.context, {}))


def _hosts(config: Config) -> set[str]:
    passed = {use.host.lower() for use in passes.all_of(config) if use.port and not use.variable}
    return passed.union(address.host for address in addresses.all_of(config))


def _needs_port(use: Pass) -> bool:
    """Whether nginx says `no port in upstream`: `ngx_http_upstream_init_round_robin`, and the same of stream. Only the
    `proxy_pass` of http has a port of its own, that of the scheme."""
    if use.variable or use.port or use.host.startswith("unix:"):
        return False
    return use.context == "stream" or use.item.name != b"proxy_pass"


def _index(config: Config) -> dict[str, typos.Index]:
    contexts = {upstream.context for upstream in config.upstreams}
    return {context: typos.index(u.name for u in config.upstreams if u.context == context) for context in contexts}
