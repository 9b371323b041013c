"""Servers as a message names them."""

from __future__ import annotations

from collections.abc import Sequence

from proxyswitch.lint.haproxy.config import ProxyServer


def named(servers: Sequence[ProxyServer]) -> str:
    """`app1`, `app1 and app2`, `app1, app2 and 7 more`."""
    names = [server.server.name for server in servers]
    if len(names) < 3:
        return " and ".join(names)
    return f"{names[0]}, {names[1]} and {len(names) - 2} more"


def is_are(servers: Sequence[ProxyServer], one: str, many: str) -> str:
    """The names with the verb that fits."""
    return f"{named(servers)} {one if len(servers) == 1 else many}"
