"""The address of a server line as HAProxy takes it apart (`str2sa_range`, src/tools.c): a family, a host, a port."""

from __future__ import annotations

import re

_IP = re.compile(r"(?:ipv[46]@)?((?:\d+\.){3}\d+|\[[\dA-Fa-f:.]+\]|[\dA-Fa-f:]*:[\dA-Fa-f:.]*):([1-9]\d*)", re.ASCII)
_IPV4 = re.compile(r"[\d.]+(?::|\Z)", re.ASCII)  # most are, and it costs little to see it
_HOST = re.compile(r"(?:ipv[46]@)?((?=[^:]*[A-Za-z])[\w.-]+?)(?::[+-]?\d*)?", re.ASCII)
_ANY = frozenset(("0.0.0.0", "[::]", "::"))  # noqa: S104  # these stand for no machine
_OTHER = ("unix@", "abns@", "abnsz@", "uxst@", "uxdg@", "fd@", "sockpair@", "rhttp@", "rev@", "uxs@")


def literal(address: str) -> str:
    """`host:port` of an IP address with a port of its own; '' for everything else."""
    found = _IP.fullmatch(address)
    return f"{found[1]}:{found[2]}" if found and found[1] not in _ANY else ""


def host_name(address: str) -> str:
    """The host name that must be looked up; '' where there is none: an address, a socket, a variable, this machine."""
    found = None if _IPV4.match(address) else _HOST.fullmatch(address)
    return found[1] if found and found[1].partition(".")[0].lower() != "localhost" else ""


def port(address: str) -> str:
    """What stands behind the host; '' where there is nothing, or where it cannot be known."""
    if "$" in address or address.startswith(_OTHER) or "/" in address:
        return ""
    return address.rpartition(":")[2] if ":" in address and address[-1] != "]" else ""
