"""Maintenance of a pool in instant mode: what lies behind the link `gate` of its flag folder.

A folder `retry-N.X` holds the file `closed`, the page, and in `allow/` a file for each address or network that gets in.
nginx looks for files only; so a network is split into those that begin at a dot: `8-10`, `16-10.1`, `24-10.1.2`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from proxyswitch.errors import UsageError
from proxyswitch.proxies import nginx_flags
from proxyswitch.proxies.base import Closing
from proxyswitch.system import files

_CLOSED = re.compile(r"retry-(\d+)\.[0-9a-f]+\Z", re.ASCII)
STEPS4, STEPS6 = (8, 16, 24, 32), (16, 32, 48, 64, 128)


def make(folder: str, pool: str, closing: Closing) -> str:
    """Lay ready what the gate is to show; nothing is closed yet. Returns what the link is to name."""
    name, place = target(pool, closing), os.path.join(folder, target(pool, closing))
    files.fill_folder(os.path.join(place, "allow"), frozenset(allowed(closing.allow)))
    page = os.path.join(place, ".proxyswitch", f"{pool}.html")
    files.open_folder(os.path.dirname(page))
    files.clear(os.path.dirname(page))
    files.clear(place)
    files.replace(page, closing.page.encode(), 0o644)
    os.chmod(page, 0o644)
    files.replace(os.path.join(place, "closed"), b"", 0o644)
    return name


def target(pool: str, closing: Closing) -> str:
    """The folder for this page and these addresses: the same for the same."""
    return f"retry-{closing.retry_after}.{files.digest(repr((pool, *closing)).encode())[:12]}"


def told(folder: str) -> str:
    """What the gate says in a sentence; empty while the pool is open."""
    match = _CLOSED.match(nginx_flags.link(folder, nginx_flags.GATE))
    if not match or not os.path.exists(os.path.join(folder, nginx_flags.GATE, "closed")):
        return ""
    allow = sorted(os.listdir(os.path.join(folder, nginx_flags.GATE, "allow")), key=lambda name: (":" in name, name))
    but = f", but for {', '.join(map(_spelt, allow[:4]))}{', …' if len(allow) > 4 else ''}" if allow else ""
    return f"closed for maintenance: 503, Retry-After {match[1]} s{but}"


def _spelt(name: str) -> str:
    """The address or network that a file in `allow/` stands for."""
    size, mark, start = name.partition("-")
    if not mark:
        return name
    zeros = "" if ":" in start or int(size) // 8 != start.count(".") + 1 else ".0" * (3 - start.count("."))
    return f"{start}{zeros or '::'}/{size}"


def allowed(networks: tuple[str, ...]) -> Iterator[str]:
    """The names of the files that let these addresses and networks in. Raises UsageError for what cannot be said so."""
    for text in networks:
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            raise UsageError(f"--allow {text}: expected an address or a network, as 10.0.0.0/8") from None
        yield from _names4(network) if isinstance(network, IPv4Network) else _names6(text, network)


def _names4(network: IPv4Network) -> Iterator[str]:
    """A network between two dots is all of the next smaller ones in it."""
    size = next(step for step in STEPS4 if step >= network.prefixlen)
    for part in network.subnets(new_prefix=size):
        octets = str(part.network_address).split(".")
        yield str(part.network_address) if size == 32 else f"{size}-{'.'.join(octets[: size // 8])}"


def _names6(text: str, network: IPv6Network) -> Iterator[str]:
    """nginx writes an address short (RFC 5952): a prefix can be compared as text where none of its groups is 0."""
    size, address = network.prefixlen, str(network.network_address)
    groups = [group.lstrip("0") for group in network.network_address.exploded.split(":")][: size // 16]
    if size not in STEPS6 or (size != 128 and not all(groups)):
        raise UsageError(
            f"--allow {text}: of IPv6 networks only /16, /32, /48 and /64 without a group of zeros can be told",
            next_step="name the addresses one by one",
        )
    yield address if size == 128 else f"{size}-{':'.join(groups)}"


def forget(folder: str, keep: str) -> None:
    """Remove what earlier maintenance left behind; what the gate names or is to name stays."""
    stay = {keep, nginx_flags.link(folder, nginx_flags.GATE)}
    for name in os.listdir(folder):
        if _CLOSED.match(name) and name not in stay:
            files.remove_folder(os.path.join(folder, name))
