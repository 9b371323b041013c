"""Where clients connect: the addresses of `bind` lines and of `stats socket` (configuration manual, 4.2, "bind")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_PREFIX = re.compile(
    r"(?:(ipv4|ipv6|tcp|tcp4|tcp6|udp|udp4|udp6|quic4|quic6|unix|uxst|uxdg|abns|abnsz|fd|sockpair|rhttp|rev)@)?(.*)"
)
_PORTS = re.compile(r"(?P<host>.*):(?P<first>\d+)(?:-(?P<last>\d+))?\Z", re.ASCII)
_PATHS = ("unix", "uxst", "uxdg", "abns", "abnsz")
_MOST = 1_000  # ports of a range that are looked at


class Address(NamedTuple):
    """One address: `unix`, `abns` with a path, or `tcp` and `udp` with a host in its plain form, and a port."""

    kind: str
    host: str
    port: int = 0

    @property
    def local(self) -> bool | None:
        """Whether only this machine reaches it; None where a name does not tell."""
        if self.kind in ("unix", "abns") or self.host in ("::1", "localhost") or re.fullmatch(r"127(\.\d+){3}", self.host):
            return True
        return False if ":" in self.host or re.fullmatch(r"\d+(\.\d+){3}", self.host) else None

    def __str__(self) -> str:
        if self.kind in ("unix", "abns"):
            return f"{'abns@' if self.kind == 'abns' else ''}{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host if self.host != '0.0.0.0' else '*'}:{self.port}"  # noqa: S104  # compared, not bound


def addresses(text: str) -> Iterator[Address]:
    """Those of a word such as `:80,[::1]:8000-8010`; what a variable or another program decides is left out."""
    for part in text.split(","):
        found = _PREFIX.fullmatch(part)
        if found and "$" not in part:
            yield from _of(found[1] or "", found[2])


def _of(prefix: str, rest: str) -> Iterator[Address]:
    if prefix in _PATHS or (not prefix and rest.startswith("/")):
        yield Address("abns" if prefix.startswith("abns") else "unix", rest)
        return
    ports = _PORTS.fullmatch(rest)
    if not ports or prefix in ("fd", "sockpair", "rhttp", "rev"):
        return
    kind = "udp" if prefix.startswith(("udp", "quic")) else "tcp"
    host = _host(ports["host"], prefix.endswith("6"))
    first, last = int(ports["first"]), int(ports["last"] or ports["first"])
    for port in range(first, min(last, first + _MOST) + 1):
        yield Address(kind, host, port)


def _host(text: str, six: bool) -> str:
    """The plain form: all of IPv4 is `0.0.0.0`."""
    host = text.removeprefix("[").removesuffix("]")
    if host in ("", "*"):
        return "::" if six else "0.0.0.0"  # noqa: S104  # compared, not bound
    if ":" in host:
        from ipaddress import IPv6Address

        try:
            return str(IPv6Address(host))
        except ValueError:
            return host
    return host
