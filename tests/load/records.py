"""What a load saw: how each request ended, by its kind and by who answered, and how long the quick ones took.

Times are monotonic seconds, as `proxyswitch.system.clock.now` gives them.
"""

from __future__ import annotations

import math
import threading
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from proxyswitch.demo.load import Outcome
from proxyswitch.system.clock import now

MAX_ERRORS = 40
HARMLESS = {"ok", "reused", "goaway"}
SERVER_ERROR, RESET, CUT, WEBSOCKET = "5xx", "reset/closed", "cut", "websocket cut"
GROUPS = (SERVER_ERROR, RESET, CUT, WEBSOCKET)


class Window(NamedTuple):
    """From `begin` on, up to but without `end`."""

    begin: float
    end: float


class Answered(NamedTuple):
    """One counter: requests of that name which ended that way, answered by that version ("" where nobody did)."""

    name: str
    kind: str
    version: str


def group(kind: str) -> str:
    """The column of a failure; one that has none of its own counts as reset."""
    if kind.startswith("http "):
        return SERVER_ERROR
    return kind if kind in (CUT, WEBSOCKET) else RESET


class Records:
    """The records of all threads, behind one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Answered] = Counter()
        self._first: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._begun, self._took = array("d"), array("d")
        self._errors: list[str] = []
        self.started = now()

    def add(self, name: str, outcome: Outcome, begun: float, *, quick: bool) -> None:
        """A request that began at `begun` has just ended; the time of a `quick` one is kept."""
        with self._lock:
            at = now()
            self._counts[Answered(name, outcome.kind, outcome.version)] += 1
            if outcome.kind == "ok":
                self._see(outcome.version, at)
            elif outcome.kind not in HARMLESS and len(self._errors) < MAX_ERRORS:
                self._errors.append(f"{name}, {at - self.started:.2f} s after the start: {outcome.text or outcome.kind}")
            if quick:
                self._begun.append(begun)
                self._took.append(at - begun)

    def heard(self, version: str) -> None:
        """That version has said something over a connection that stays open."""
        with self._lock:
            self._see(version, now())

    def _see(self, version: str, at: float) -> None:
        self._first.setdefault(version, at)
        self._last[version] = at

    @property
    def counts(self) -> Counter[Answered]:
        with self._lock:
            return Counter(self._counts)

    @property
    def requests(self) -> int:
        return self.counts.total()

    def kinds(self, name: str = "") -> Counter[str]:
        """How requests ended; those of one name, or all."""
        found: Counter[str] = Counter()
        for answered, count in self.counts.items():
            if name in ("", answered.name):
                found[answered.kind] += count
        return found

    @property
    def failures(self) -> dict[str, int]:
        """How many failed, under each of GROUPS."""
        found = dict.fromkeys(GROUPS, 0)
        for kind, count in self.kinds().items():
            if kind not in HARMLESS:
                found[group(kind)] += count
        return found

    @property
    def reused_closed(self) -> int:
        """Requests that a browser sends again by itself: closed under a kept connection, or refused by a GOAWAY."""
        kinds = self.kinds()
        return kinds["reused"] + kinds["goaway"]

    @property
    def errors(self) -> list[str]:
        """The first failures, in words."""
        with self._lock:
            return list(self._errors)

    def first(self, version: str) -> float | None:
        """When that version answered for the first time."""
        return self._first.get(version)

    def last(self, version: str) -> float | None:
        """When that version answered for the last time, up to now."""
        return self._last.get(version)

    def percentile(self, share: float, windows: Sequence[Window]) -> float | None:
        """The seconds within which that share of the quick requests that began in the windows was answered."""
        with self._lock:
            pairs = zip(self._begun, self._took, strict=True)
            took = sorted(seconds for begun, seconds in pairs if any(w.begin <= begun < w.end for w in windows))
        return took[math.ceil(share * len(took)) - 1] if took else None
