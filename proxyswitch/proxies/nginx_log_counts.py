"""What came of the attempts at one slot, in bounded memory: how many, with which status, and how long they took."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

GAMMA = 1.02
ERROR = (GAMMA - 1) / (GAMMA + 1)  # relative, of every quantile: 0.99 %
LONGEST = 24 * 3600 * 1000  # ms; what took longer counts as that long
NONE = -1  # the bucket of what took less than 1 ms
SWITCHED = 101


@dataclass(frozen=True)
class Times:
    """A histogram of times on a log scale: bucket `i` holds those over GAMMA^(i-1) and up to GAMMA^i ms.

    There are at most 925 buckets, whatever comes in. nginx writes whole milliseconds, so the sum, and with it the mean,
    is exact; a quantile is off by at most `ERROR` of itself.
    """

    total: int = 0
    buckets: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Times:
        """The histogram of these."""
        whole = [_milliseconds(value) for value in seconds]
        return cls(sum(whole), dict(Counter(map(_bucket, whole))))

    @property
    def number(self) -> int:
        return sum(self.buckets.values())

    @property
    def mean(self) -> float | None:
        """In seconds; None without any times."""
        return self.total / self.number / 1000 if self.number else None

    def quantile(self, share: float) -> float | None:
        """The time that `share` (0.95) of them did not exceed, in seconds; None without any times."""
        rank, seen = max(1, math.ceil(share * self.number)), 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= rank:
                return _middle(bucket)
        return None

    def __add__(self, other: Times) -> Times:
        return Times(self.total + other.total, _sum(self.buckets, other.buckets))

    def as_data(self) -> dict[str, Any]:
        return {"total_ms": self.total, "buckets": _as_data(self.buckets)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Times:
        return cls(data["total_ms"], _from_data(data["buckets"]))


def _milliseconds(seconds: float) -> int:
    return min(max(0, round(seconds * 1000)), LONGEST)


def _bucket(ms: int) -> int:
    return math.ceil(math.log(ms) / math.log(GAMMA)) if ms else NONE


def _middle(bucket: int) -> float:
    """The value that is off by the same share from both ends of a bucket, in seconds."""
    return 0.0 if bucket == NONE else 2 * GAMMA**bucket / (GAMMA + 1) / 1000


@dataclass(frozen=True)
class Counts:
    """The attempts at one slot.

    `statuses` are the answers by status, 0 for none. `left` are the attempts that got no answer because the client went
    away first (499): they are neither good nor failed. A slot that hangs shows in them and in `times`, not in `failed`.
    `times` leaves out upgraded connections (101), which last as long as their clients like.
    """

    statuses: Mapping[int, int] = field(default_factory=dict)
    left: int = 0
    times: Times = field(default_factory=Times)

    @property
    def attempts(self) -> int:
        return sum(self.statuses.values()) + self.left

    @property
    def failed(self) -> int:
        """How many got no answer, or 5xx. nginx itself notes a refused connection as 502, one that timed out as 504."""
        return sum(n for status, n in self.statuses.items() if status == 0 or status >= 500)

    @property
    def classes(self) -> dict[str, int]:
        """The answers by class of status, as in `2xx`; `none` where there was no answer."""
        found = Counter[str]()
        for status, number in sorted(self.statuses.items()):
            found[f"{status // 100}xx" if status else "none"] += number
        return dict(found)

    def __add__(self, other: Counts) -> Counts:
        return Counts(_sum(self.statuses, other.statuses), self.left + other.left, self.times + other.times)

    def as_data(self) -> dict[str, Any]:
        return {"statuses": _as_data(self.statuses), "left": self.left, "times": self.times.as_data()}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Counts:
        return cls(_from_data(data["statuses"]), data["left"], Times.from_data(data["times"]))


class Sum:
    """Counts that are being added up, one attempt at a time."""

    def __init__(self) -> None:
        self._statuses = Counter[int]()
        self._buckets = Counter[int]()
        self._left = self._total = 0

    def add(self, status: int, seconds: float | None, left: bool = False) -> None:
        """One more attempt."""
        if left:
            self._left += 1
        else:
            self._statuses[status] += 1
        if seconds is not None and status != SWITCHED:
            ms = _milliseconds(seconds)
            self._total += ms
            self._buckets[_bucket(ms)] += 1

    @property
    def counts(self) -> Counts:
        return Counts(dict(self._statuses), self._left, Times(self._total, dict(self._buckets)))


def _sum(one: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    return dict(Counter(one) + Counter(other))


def _as_data(numbers: Mapping[int, int]) -> dict[str, int]:
    """Keys of JSON are text."""
    return {str(key): number for key, number in sorted(numbers.items())}


def _from_data(numbers: Mapping[str, int]) -> dict[int, int]:
    return {int(key): number for key, number in numbers.items()}
