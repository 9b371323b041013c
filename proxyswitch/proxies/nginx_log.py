"""What nginx's log of the pools tells of each slot: every attempt at a server, also those that a client never saw.

A canary that is dead or fails gives clients good answers, because nginx then tries the next server: it is judged by the
attempts at its own endpoint. A line is a JSON object of this format (the next server's values stand behind a comma, and
behind a colon after an internal redirect):

    log_format proxyswitch escape=json '{"time":$msec,"status":$status,"seconds":$request_time,'
        '"upstream_addr":"$upstream_addr","upstream_status":"$upstream_status","upstream_seconds":"$upstream_response_time"}';
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, NamedTuple

from proxyswitch.proxies.nginx_log_counts import Counts, Sum

CLIENT_LEFT = 499
_BETWEEN = re.compile(", | : ")
_ZEROS = re.compile(rb'"status":0+(?=\d)')  # 000 and 009 (HTTP/0.9) are no numbers of JSON


class Attempt(NamedTuple):
    """One try at one server.

    `endpoint` is as nginx logs it: an address, `unix:/path`, or the name of the upstream when none of its servers could
    be tried. `status` is 0 for no answer, `seconds` None where nginx noted no time, `time` when the request ended in
    seconds since 1970. `left`: there is no answer because the client went away first.
    """

    endpoint: str
    status: int
    seconds: float | None
    time: float
    left: bool = False


class Request(NamedTuple):
    """What a client got, and the attempts that it took; none where nginx answered by itself or from its cache."""

    time: float
    status: int
    seconds: float
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True)
class Tally:
    """What some lines said: of each slot, of what the `clients` got, and what could not be counted.

    `elsewhere` are attempts at endpoints of no slot, `broken` the lines that are not of our format.
    """

    slots: Mapping[str, Counts] = field(default_factory=dict)
    clients: Counts = field(default_factory=Counts)
    elsewhere: int = 0
    broken: int = 0

    def __add__(self, other: Tally) -> Tally:
        names = {**self.slots, **other.slots}
        slots = {name: self.slots.get(name, Counts()) + other.slots.get(name, Counts()) for name in names}
        return Tally(slots, self.clients + other.clients, self.elsewhere + other.elsewhere, self.broken + other.broken)

    def as_data(self) -> dict[str, Any]:
        slots = {name: counts.as_data() for name, counts in self.slots.items()}
        return {"slots": slots, "clients": self.clients.as_data(), "elsewhere": self.elsewhere, "broken": self.broken}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Tally:
        slots = {name: Counts.from_data(counts) for name, counts in data["slots"].items()}
        return cls(slots, Counts.from_data(data["clients"]), data["elsewhere"], data["broken"])


def read(line: bytes) -> Request | None:
    """What a line says; None for one that is broken: half written, or of another format."""
    try:
        row = json.loads(_ZEROS.sub(b'"status":', line).decode("utf-8", "surrogateescape"))
        time, status, seconds = _number(row["time"]), int(row["status"]), _number(row["seconds"])
        rows = [_BETWEEN.split(row[f"upstream_{name}"]) for name in ("addr", "status", "seconds")]
        tries = [_attempt(time, *words) for words in zip_longest(*rows, fillvalue="-") if words[0] not in ("", "-")]
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return None
    if tries and status == CLIENT_LEFT and not tries[-1].status:
        tries[-1] = tries[-1]._replace(left=True)
    return Request(time, status, seconds, tuple(tries))


def _attempt(time: float, endpoint: str, status: str, seconds: str) -> Attempt:
    known = seconds not in ("", "-")
    return Attempt(endpoint, 0 if status in ("", "-") else int(status), _number(seconds) if known else None, time)


def _number(value: Any) -> float:
    """A number that can be counted with. Raises ValueError."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def attempts(line: bytes) -> list[Attempt]:
    """The attempts that a line tells of, in their order; none for a broken line, which `tally` counts."""
    request = read(line)
    return list(request.attempts) if request else []


def tally(lines: Iterable[bytes], slots: Mapping[str, str]) -> Tally:
    """Count what the lines say. `slots` maps each endpoint, spelled as nginx logs it, to the name of its slot.

    nginx logs the address that it connected to: `localhost:3001` of a config is `127.0.0.1:3001` here, or `[::1]:3001`.
    The name of an upstream may be mapped too: requests for which none of its servers could be tried.
    """
    sums = {name: Sum() for name in slots.values()}
    clients, elsewhere, broken = Sum(), 0, 0
    for request in map(read, lines):
        if request is None:
            broken += 1
            continue
        clients.add(request.status, request.seconds, request.status == CLIENT_LEFT)
        for attempt in request.attempts:
            if attempt.endpoint in slots:
                sums[slots[attempt.endpoint]].add(attempt.status, attempt.seconds, attempt.left)
            else:
                elsewhere += 1
    return Tally({name: each.counts for name, each in sums.items()}, clients.counts, elsewhere, broken)


def count(lines: Iterable[bytes], slots: Mapping[str, str]) -> dict[str, Counts]:
    """The counts of each slot, also of one that nothing was sent to: `tally` without the rest."""
    return dict(tally(lines, slots).slots)
