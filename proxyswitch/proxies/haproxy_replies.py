"""Replies of HAProxy's runtime API and of its master, as values. ValueError for one that is not whole, or not that.

The tables of servers are in haproxy_tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from proxyswitch.model import Endpoint
from proxyswitch.proxies.haproxy_tables import whole

LEVELS = frozenset({"user", "operator", "admin"})
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_AGE = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of one server: their ids, for `shutdown session`, and the age of the oldest in seconds."""

    ids: tuple[str, ...]
    oldest: int

    @property
    def count(self) -> int:
        return len(self.ids)


class Process(NamedTuple):
    """A line of `show proc`: how many reloads it has lived through, and its age in seconds. `failed`: of the master only."""

    pid: int
    kind: str
    reloads: int
    uptime: int
    version: str
    failed: int = 0


class Processes(NamedTuple):
    """The master, the workers that serve, and those that only finish what they have."""

    master: Process
    workers: tuple[Process, ...]
    old: tuple[Process, ...]
    programs: tuple[Process, ...]


class Verdict(NamedTuple):
    """How a reload ended, with the log of the start; `success` is None when HAProxy did not say."""

    success: bool | None
    log: str = ""


def info(text: str) -> dict[str, str]:
    """`show info`."""
    pairs = [line.partition(": ") for line in whole(text).splitlines()]
    values = {key: value for key, _, value in pairs}
    if not all(colon or key.endswith(":") for key, colon, _ in pairs) or values.get("Name") is None:
        raise ValueError("this is not what `show info` prints")
    return values


def version(values: dict[str, str]) -> tuple[int, ...]:
    """The version in `show info`: `2.6.12-1+deb12u4` is (2, 6, 12), `3.2-dev5` is (3, 2)."""
    return parse_version(values.get("Version", ""))


def parse_version(text: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)+", text, re.ASCII)
    if not match:
        raise ValueError(f"{text[:40]!r} is no version of HAProxy")
    return tuple(map(int, match[0].split(".")))


def level(text: str) -> str:
    """`show cli level`, already without its severity."""
    if text not in LEVELS:
        raise ValueError("this is no level")
    return text


_SESSION = re.compile(r"(0x[0-9a-f]+): proto=.* be=(\S+) srv=(\S+) .*\bage=(\S+) ")
_CLIENT = re.compile(r"0x[0-9a-f]+: proto=\S+ src=(\S+) fe=\S+ be=\S+ srv=(\S+) ")


def sessions(text: str, backend: str, server: str) -> Sessions:
    """The sessions of that server in `show sess`. Our own connection is in that list too, so it is never empty."""
    lines = whole(text).split("\n")[:-1]
    if not lines:
        raise ValueError("the list of sessions is empty")
    found = [match for match in map(_SESSION.match, lines) if match]
    if len(found) != len(lines):
        raise ValueError("this is not what `show sess` prints")
    ours = [match for match in found if (match[2], match[3]) == (backend, server)]
    return Sessions(tuple(m[1] for m in ours), max((age(m[4]) for m in ours), default=0))


def served(text: str) -> set[str]:
    """The clients in `show sess` that have a server, by their address; who has a request without one is left out."""
    found = [match for match in map(_CLIENT.match, whole(text).splitlines()) if match]
    return {m[1] for m in found} - {m[1] for m in found if m[2] == "<none>"}


_PLACE = re.compile(r"^  backend=(\S+) .*\n  server=(\S+) \(id=\d+\) addr=(\S+):(\d+)$", re.MULTILINE | re.ASCII)


def places(text: str) -> list[tuple[str, str, Endpoint]]:
    """Backend, server and address of the sessions in `show sess all` that are connected to a server by TCP."""
    found = map(re.Match.groups, _PLACE.finditer(whole(text)))
    return [(pool, server, Endpoint(host, int(port))) for pool, server, host, port in found if host != "unix"]


def age(text: str) -> int:
    """Seconds, from the two largest units as HAProxy prints them: `3s`, `2m5s`, `1h2m`, `3d4h`, `1d30s`; `?` counts as 0."""
    match = _AGE.fullmatch(text)
    if not match and text != "?":
        raise ValueError(f"{text[:20]!r} is no age")
    return sum(int(n or 0) * unit for n, unit in zip(match.groups(), _UNITS.values(), strict=True)) if match else 0


# 2.0 to 2.4 have a column `<relative PID>`, which reads `[was: 1]` for an old worker and `-` for a program
_PROCESS = re.compile(
    r"(\d+) +(\S+) +(?P<relative>(?:\d+|-|\[was: \d+\]) +)?(\d+)(?: \[failed: (\d+)\])?"
    r" +-?(\d+)d *(\d+)h(\d+)m(\d+)s +(\S+)",
    re.ASCII,
)
_SECTIONS = ("# workers", "# old workers", "# programs", "# old programs")


def processes(text: str) -> Processes:
    """`show proc` of HAProxy 2.0 to 3.2."""
    header, *lines = whole(text).split("\n")[:-1] or [""]
    if not re.match(r"#<PID> +<type> .*<reloads> +<uptime> +<version>", header) or "# workers" not in lines:
        raise ValueError("this is not what `show proc` prints")
    parts: dict[str, list[Process]] = {"": [], **{name: [] for name in _SECTIONS}}
    part = ""
    for line in lines:
        if line.startswith("#"):
            part = line
        elif part in parts:
            parts[part].append(_process(line, relative="<relative PID>" in header))
    if len(parts[""]) != 1 or parts[""][0].kind != "master":
        raise ValueError("`show proc` names no master")
    workers, old = tuple(parts["# workers"]), tuple(parts["# old workers"])
    return Processes(parts[""][0], workers, old, (*parts["# programs"], *parts["# old programs"]))


def _process(line: str, *, relative: bool) -> Process:
    match = _PROCESS.match(line)
    if not match or bool(match["relative"]) != relative:
        raise ValueError(f"{line[:80]!r} is no line of `show proc`")
    pid, kind, _, reloads, failed, *uptime, its_version = match.groups()
    seconds = sum(int(n) * unit for n, unit in zip(uptime, _UNITS.values(), strict=True))
    return Process(int(pid), kind, int(reloads), seconds, its_version, int(failed or 0))


def verdict(text: str) -> Verdict:
    """What the master's `reload` answers: nothing before 2.7, then `Success=0` or `1`, and below `--` the log."""
    if not text:
        return Verdict(None)
    match = re.match(r"Success=([01])\n(?:--\n)?", text)
    if not match:
        raise ValueError("this is no verdict of a reload")
    return Verdict(match[1] == "1", text[match.end() :].strip())


_SUCCESS = re.compile(
    r"(?:(?:IP changed from '(?P<was>[^']*)' to '(?P<ip>[0-9A-Fa-f.:]+)'|no need to change the addr)"
    r"(?:, (?:port changed from '[+-]?\d+' to '(?P<port>\d+)'|no need to change the port))?"
    r"|port changed from '[+-]?\d+' to '(?P<only>\d+)'"
    r"|nothing changed)"
    r"(?: by '[^']*')?\.?"
)


def address_taken(ip: str, port: int) -> Callable[[str], bool]:
    """True for the sentences by which `set server … addr … port …` says that it now has just that address.

    They come from `srv_update_addr_port` and `server_set_inetaddr` in src/server.c; later versions leave out what did
    not change.
    """

    def said(text: str) -> bool:
        match = _SUCCESS.fullmatch(text)
        if not match:
            return False
        new_port = match["port"] or match["only"]
        return _is_ip(match["ip"] or ip, ip) and new_port in (None, str(port))

    return said


def _is_ip(text: str, ip: str) -> bool:
    """True when both are the same address, however it is spelt."""
    from ipaddress import ip_address

    try:
        return ip_address(text) == ip_address(ip)
    except ValueError:
        return False
