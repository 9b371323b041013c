"""Which nginx and HAProxy a config is for, and what they understand.

Where nobody says it and none is installed, it is the oldest that we know: what is made for that, newer ones understand too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

OLDEST_NGINX = (1, 22)
OLDEST_HAPROXY = (2, 6)
OLDEST_OPENSSL = (3, 0)

Numbers = tuple[int, ...]


@dataclass(frozen=True)
class Nginx:
    """What an nginx understands (https://nginx.org/en/CHANGES)."""

    version: Numbers = OLDEST_NGINX
    openssl: Numbers = OLDEST_OPENSSL

    @property
    def rotates_ticket_keys(self) -> bool:
        """The keys of TLS session tickets change by themselves, with a shared cache of sessions."""
        return self.version >= (1, 23, 2)

    @property
    def http2_directive(self) -> bool:
        """`http2 on`; before, it is a word of `listen`."""
        return self.version >= (1, 25, 1)

    @property
    def upstream_resolve(self) -> bool:
        """`server NAME resolve` in an upstream."""
        return self.version >= (1, 27, 3)

    @property
    def keepalive_min_timeout(self) -> bool:
        """A reload spares kept-alive clients for that long."""
        return self.version >= (1, 27, 4)


@dataclass(frozen=True)
class Haproxy:
    """What an HAProxy understands (its configuration manuals, by version)."""

    version: Numbers = OLDEST_HAPROXY
    openssl: Numbers = OLDEST_OPENSSL

    @property
    def json_log(self) -> bool:
        """`%{+json}o` in a log format: HAProxy quotes the fields itself."""
        return self.version >= (3, 0)

    @property
    def crt_store(self) -> bool:
        """`crt-store`: a certificate and its key in two files of any names."""
        return self.version >= (3, 0)


class Versions(NamedTuple):
    nginx: Nginx = Nginx()
    haproxy: Haproxy = Haproxy()


class Named(NamedTuple):
    """Versions that a person named; None for those that are to be asked."""

    nginx: Numbers | None = None
    haproxy: Numbers | None = None
    openssl: Numbers | None = None


class Asked(NamedTuple):
    """What was found out, and which proxies nobody could tell about."""

    versions: Versions
    unknown: tuple[str, ...]


def ask(needs: tuple[str, ...], named: Named) -> Asked:
    """The versions of the proxies that matter: as they were named, else those installed here."""
    nginx = _nginx() if "nginx" in needs and not named.nginx else None
    haproxy = _haproxy() if "haproxy" in needs and not named.haproxy else None
    unknown = {"nginx": not (named.nginx or nginx), "haproxy": not (named.haproxy or haproxy)}
    return Asked(
        Versions(
            replace(nginx or Nginx(named.nginx or OLDEST_NGINX), **_openssl(named)),
            replace(haproxy or Haproxy(named.haproxy or OLDEST_HAPROXY), **_openssl(named)),
        ),
        tuple(name for name in needs if unknown[name]),
    )


def _openssl(named: Named) -> dict[str, Numbers]:
    return {"openssl": named.openssl} if named.openssl else {}


def _nginx() -> Nginx | None:
    from proxyswitch.errors import UsageError
    from proxyswitch.proxies import nginx_master

    try:
        build = nginx_master.build(nginx_master.find_binary())
        return Nginx(build.version, build.openssl or OLDEST_OPENSSL)
    except UsageError:
        return None


def _haproxy() -> Haproxy | None:
    from proxyswitch.errors import UsageError
    from proxyswitch.proxies import haproxy_process

    try:
        build = haproxy_process.version(haproxy_process.find_binary())
        return Haproxy(build.version, build.openssl or OLDEST_OPENSSL)
    except UsageError:
        return None
