"""A server line has an address that nginx cannot use: with http:// or a path, or a port that is none.

An upstream has addresses only, `host:port` or `unix:/path`. How nginx talks to them, and the path, stand in the pass.

FAIL
    upstream app {
        server http://127.0.0.1:3001;
    }

FAIL
    upstream app {
        server 127.0.0.1:30001/api;
        server 127.0.0.1:300001;
    }

PASS
    upstream app {
        server 127.0.0.1:3001;
        server [::1]:3001;
        server app.example.com;
        server unix:/run/app.sock;
    }
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxyswitch.conf.text import Edit, Span
from proxyswitch.lint.finding import Found, Level
from proxyswitch.lint.nginx import addresses
from proxyswitch.lint.nginx.addresses import Address
from proxyswitch.lint.nginx.tree import Config
from proxyswitch.model import MAX_PORT

ID = "nginx/server-address"
LEVEL: Level = "error"
_VARIABLE = re.compile(r"\$[a-z]\w*", re.ASCII)


def check(config: Config) -> Iterator[Found]:
    for address in addresses.all_of(config):
        text = address.line.server.address
        if "$" not in text:
            what = _fault(address, text, config.whole)
        elif _VARIABLE.search(text):
            what = f"{text}: an upstream takes no variables"
        else:
            what = ""  # a template of something else
        if what:
            yield address.item.found(what, *_fixes(address), word=1)


def _fault(address: Address, text: str, whole: bool) -> str:
    if address.unix:
        return "" if text != "unix:" else "unix: without a path"
    if address.scheme:
        return f"an upstream has addresses only: {_instead(address)}"
    if address.path:
        return f"{text}: an address has no path, that belongs into the pass"
    if address.host.isdecimal() and address.port is None:
        return f"{text} is no address: did you mean 127.0.0.1:{text}?"
    return _of_port(address, text, whole)


def _instead(address: Address) -> str:
    if address.host == "unix":
        return f"write unix:{address.path}"
    port = "" if address.port is None else f":{address.port}"
    if address.scheme.lower() == "http":
        return f"write {address.host}{port}"
    other = ":443" if address.scheme.lower() == "https" and not port else port
    return f"write {address.host}{other}, and {address.scheme}:// in the pass"


def _of_port(address: Address, text: str, whole: bool) -> str:
    if address.port is None:
        service = any(param.startswith("service=") for param in address.line.server.params)
        needed = whole and address.upstream.context == "stream" and not service
        return f"{text}: a server of stream needs a port" if needed else ""
    if not address.host:
        return f"{text}: an IPv6 address is written [::1]:3001" if text.count(":") > 1 else f"{text}: the host is missing"
    good = address.port.isascii() and address.port.isdecimal() and 1 <= int(address.port[:9]) <= MAX_PORT
    return "" if good else f"{text}: the port must be a number from 1 to {MAX_PORT}"


def _fixes(address: Address) -> Iterator[Edit]:
    """The scheme and a last slash away, where nothing else is wrong: what is passed to such a pool goes there by http."""
    if address.scheme.lower() not in ("", "http") or address.path not in ("", "/") or address.upstream.context != "http":
        return
    kept = address._replace(scheme="", path="")
    if (address.scheme or address.path) and "$" not in address.host and not _fault(kept, address.host, whole=False):
        start, end = address.item.directive.words[1]
        word = address.item.document.data[start:end]
        if word.startswith(address.scheme.encode()) and word.endswith(address.path.encode()):
            scheme = len(address.scheme) + 3 if address.scheme else 0
            yield Edit(Span(start, end), word[scheme : len(word) - len(address.path)])
