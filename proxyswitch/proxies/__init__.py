"""Proxies, by name. To add one: a module that satisfies base.Proxy, and a row here."""

from __future__ import annotations

from collections.abc import Callable

from proxyswitch.errors import UsageError
from proxyswitch.proxies.base import Options, Proxy


def _nginx(options: Options) -> Proxy:
    from proxyswitch.proxies.nginx import Nginx

    return Nginx(options)


PROXIES: dict[str, Callable[[Options], Proxy]] = {
    "nginx": _nginx,
}


def make(name: str, options: Options) -> Proxy:
    """The proxy of that name. Raises UsageError for a name that is not known."""
    try:
        return PROXIES[name](options)
    except KeyError:
        raise UsageError(f"unknown proxy {name!r}; known: {', '.join(sorted(PROXIES))}") from None
