"""Words that may stand in a command of HAProxy's runtime API: names, addresses, keywords. All else is a UsageError.

A name with a blank, a line end or `;` in it could smuggle in another command; HAProxy has no such names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from proxyswitch.errors import UsageError
from proxyswitch.model import MAX_PORT, Endpoint
from proxyswitch.proxies.haproxy_tables import NAME
from proxyswitch.system import net

_WORD = re.compile(r"[A-Za-z0-9_.:/,@=+%()\[\]*?!&|~-]+")  # no blank, quote, backslash, `;`, `#` or `<`


def resolve(endpoint: Endpoint) -> Endpoint:
    """The endpoint with its host name looked up, as `set_address` needs it: the IPv4 address where it has both kinds.

    Raises UsageError for a name that is unknown or has several addresses.
    """
    found = net.addresses(endpoint.host) if endpoint.host else set()
    best = {a for a in found if ":" not in a} or found
    if len(best) != 1:
        many = f"several addresses ({', '.join(sorted(best))})" if best else "no address"
        raise UsageError(f"{endpoint.host or endpoint} has {many}", next_step="give one IP address and a port")
    return Endpoint(best.pop(), endpoint.port)


def path(backend: str, server: str) -> str:
    """`backend/server`, as commands want it."""
    return f"{name(backend, 'backend')}/{name(server, 'server')}"


def name(text: str, kind: str) -> str:
    """The name itself, of a backend or a server."""
    if not NAME.fullmatch(text):
        raise UsageError(f"{text!r} cannot be the name of a {kind}: HAProxy allows letters, digits and - _ . : in it")
    return text


def ip_of(endpoint: Endpoint) -> str:
    """The address of an endpoint that a server may have, checked."""
    from ipaddress import ip_address

    try:
        ip = ip_address(endpoint.host)
    except ValueError:
        raise UsageError(f"{endpoint} is no IP address with a port", next_step="look the name up first") from None
    if "%" in endpoint.host or ip.is_unspecified:
        raise UsageError(f"{endpoint} cannot be the address of a server")
    if type(endpoint.port) is not int or not 1 <= endpoint.port <= MAX_PORT:
        raise UsageError(f"port {endpoint.port} is out of range (1 to {MAX_PORT})")
    return str(ip)


def _address(text: str) -> str:
    """An address in HAProxy's own form."""
    try:
        endpoint = Endpoint.parse(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if endpoint.path:
        return f"unix@{endpoint.path}"
    ip = ip_of(endpoint)
    return f"[{ip}]:{endpoint.port}" if ":" in ip else f"{ip}:{endpoint.port}"


def server_words(address: str, keywords: Sequence[str]) -> str:
    """What follows the name in `add server`."""
    words = [_address(address), *keywords]
    for word in words:
        if not _WORD.fullmatch(word):
            raise UsageError(f"{word!r} cannot be a word of `add server`")
    return " ".join(words)
