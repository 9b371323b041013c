"""What the url of a check means: where to connect, and what to ask there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from proxyswitch.errors import UsageError
from proxyswitch.health.check import Check
from proxyswitch.model import Endpoint

EXAMPLES = "http://127.0.0.1:3001/health, https://…, tcp://127.0.0.1:3001 or unix:///run/app.sock:/health"


def parse_target(text: str) -> Check:
    """The check that a word on the command line means; an address alone means a connect. Raises UsageError."""
    check = Check(text)
    if "://" not in text:
        if text.startswith("unix:") and ":/" in text.removeprefix("unix:"):
            raise _bad(text, f"HTTP over a unix socket is written unix://{text.removeprefix('unix:')}")
        check = Check(f"tcp://{_read(Endpoint.parse, text, text)}")
    target_of(check)
    return check


class Target(NamedTuple):
    """A url taken apart. `scheme` is http, https or tcp; `authority` what the Host header says."""

    scheme: str
    endpoint: Endpoint
    authority: str = ""
    path: str = ""


def target_of(check: Check) -> Target:
    """Where the check leads. Raises UsageError when it cannot be sent at all: to try again would not help."""
    scheme, colon, rest = check.url.partition("://")
    reader = _READERS.get(scheme.lower())
    if not colon or not reader:
        raise _bad(check.url, "it must begin with http://, https://, tcp:// or unix://")
    if re.search(r"[\x00-\x20\x7f]", check.url):
        raise _bad(check.url, "it must not contain spaces or control characters")
    target: Target = _read(reader, rest, check.url)
    for problem in _unsendable(check, target):
        raise _bad(check.url, problem)
    return target


def _read(reader: Callable[[str], Any], text: str, shown: str) -> Any:
    try:
        return reader(text)
    except ValueError as error:
        raise _bad(shown, str(error)) from None


def _bad(text: str, why: str) -> UsageError:
    return UsageError(f"cannot check {text!r}: {why}", next_step=f"write it as {EXAMPLES}")


def _unsendable(check: Check, target: Target) -> Iterator[str]:
    if target.scheme == "tcp" and (check.body or check.json or check.headers or check.host):
        yield "tcp:// only connects: body, json, headers and host need http:// or https://"
    for name, value in check.headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(r"[\r\n\x00]", value):
            yield f"the header {name!r} is not one that HTTP can send"
    if not _is_name(target.endpoint.host):
        yield f"{target.endpoint.host!r} is no host name"
    if check.host:
        try:
            fine = _is_name(Endpoint.parse(check.host, 1).host)
        except ValueError:
            fine = False
        if not fine:
            yield f"the host {check.host!r} is no host name"


def _is_name(host: str) -> bool:
    """False for what neither a resolver nor TLS takes as a name: they raise on an empty or an endless label."""
    return not host or all(1 <= len(label) <= 63 for label in host.removesuffix(".").split("."))


def _http_target(rest: str, scheme: str = "http", port: int = 80) -> Target:
    rest = rest.partition("#")[0]
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise ValueError("a user name or password does not belong into it: send an Authorization header")
    if authority.startswith("unix:"):
        raise ValueError(f"{scheme} over a unix socket is written unix:///run/app.sock:/path, without TLS")
    return Target(scheme, Endpoint.parse(authority, port), authority, _path(rest[len(authority) :]))


def _https_target(rest: str) -> Target:
    return _http_target(rest, "https", 443)


def _tcp_target(rest: str) -> Target:
    return Target("tcp", Endpoint.parse(rest))


def _unix_target(rest: str) -> Target:
    socket, _, path = rest.partition(":/")
    if not socket.startswith("/") or socket.endswith(":"):
        raise ValueError("a unix socket needs an absolute path, as unix:///run/app.sock or unix:///run/app.sock:/path")
    return Target("http", Endpoint.parse(f"unix:{socket}"), "localhost", _path(path.partition("#")[0]))


_READERS: dict[str, Callable[[str], Target]] = {
    "http": _http_target,
    "https": _https_target,
    "tcp": _tcp_target,
    "unix": _unix_target,
}


def _path(text: str) -> str:
    from urllib.parse import quote

    path = "/" + text.removeprefix("/")
    return "".join(c if c.isascii() else quote(c) for c in path)
