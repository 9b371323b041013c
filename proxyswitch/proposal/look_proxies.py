"""Looks at nginx and HAProxy: their pools as they serve now, and how they are found again."""

from __future__ import annotations

import os
from collections.abc import Mapping

from proxyswitch import proxies
from proxyswitch.errors import ConfigError, ProxyswitchError
from proxyswitch.proposal.seen import ProxySeen
from proxyswitch.proxies.base import Options, Proxy, Several


def look(options: Mapping[str, Options]) -> tuple[list[ProxySeen], list[str]]:
    """Those that are named, else those that are here; and why one cannot be read.

    Raises Several, and what is wrong with a config that was named: one that is not there, or is none of that proxy's.
    """
    named = [name for name, o in options.items() if o.conf or o.socket]
    found: list[ProxySeen] = []
    notes: list[str] = []
    for name in named or proxies.here():
        try:
            found.append(_look(proxies.make(name, options[name]), options[name]))
        except Several:
            raise
        except ProxyswitchError as error:
            if options[name].conf and _is_mistaken(options[name].conf, error):
                raise
            notes.append(f"{name} was left out: {error.what}{f' ({error.next_step})' if error.next_step else ''}")
    return found, notes


def _is_mistaken(conf: str, error: ProxyswitchError) -> bool:
    """Not what one who may not read it is told: without root that is as usual."""
    return isinstance(error, ConfigError) or not os.path.exists(conf)


def _look(proxy: Proxy, options: Options) -> ProxySeen:
    pools = tuple(proxy.serving(pool) for pool in proxy.pools())
    conf, why = _named(proxy, options)
    return ProxySeen(proxy.name, conf, why, options.socket, proxy.running(), pools)


def _named(proxy: Proxy, options: Options) -> tuple[tuple[str, ...], str]:
    """Its config, and why it must be named; none where it is found without."""
    files, usual = _files(proxy), _usual(proxy.name)
    if options.conf:
        return files, "as it was named to init"
    return (
        (files, f"the config of the {proxy.name} that runs; {usual or 'another'} is the usual one")
        if files != usual
        else ((), "")
    )


def _files(proxy: Proxy) -> tuple[str, ...]:
    from proxyswitch.proxies.haproxy import Haproxy

    return tuple(proxy.found.names) if isinstance(proxy, Haproxy) else (proxy.conf,)


def _usual(name: str) -> tuple[str, ...]:
    """What is taken where nothing runs."""
    from proxyswitch.proxies import haproxy_process, nginx_master

    if name == "haproxy":
        return (haproxy_process.CONF,)
    try:
        return (nginx_master.conf_of(nginx_master.find_binary(), nginx_master.Arguments()),)
    except ProxyswitchError:
        return ()
