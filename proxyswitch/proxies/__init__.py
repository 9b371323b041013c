"""Proxies, by name. To add one: a module that satisfies base.Proxy, and a row here."""

from __future__ import annotations

from collections.abc import Callable

from proxyswitch.errors import UsageError
from proxyswitch.proxies.base import Options, Proxy


def _nginx(options: Options) -> Proxy:
    if options.inside:
        from proxyswitch.proxies.nginx_container import Contained

        return Contained(options)
    from proxyswitch.proxies.nginx import Nginx

    return Nginx(options)


def _haproxy(options: Options) -> Proxy:
    from proxyswitch.proxies.haproxy import Haproxy

    return Haproxy(options)


def _nginx_here() -> bool:
    from proxyswitch.proxies import nginx_master

    return nginx_master.here()


def _haproxy_here() -> bool:
    from proxyswitch.proxies import haproxy_process

    return haproxy_process.here()


PROXIES: dict[str, Callable[[Options], Proxy]] = {
    "haproxy": _haproxy,
    "nginx": _nginx,
}

_HERE: dict[str, Callable[[], bool]] = {
    "haproxy": _haproxy_here,
    "nginx": _nginx_here,
}


def here() -> list[str]:
    """The proxies that run on this machine, or could."""
    return [name for name, look in _HERE.items() if look()]


def make(name: str, options: Options) -> Proxy:
    """The proxy of that name. Raises UsageError for a name that is not known."""
    try:
        return PROXIES[name](options)
    except KeyError:
        raise UsageError(f"unknown proxy {name!r}; known: {', '.join(sorted(PROXIES))}") from None
