"""The one clock. Every deadline is monotonic, so that a corrected wall clock neither ends nor stretches a wait."""

from __future__ import annotations

import time
from dataclasses import dataclass


def now() -> float:
    """Monotonic seconds."""
    return time.monotonic()


def wall() -> float:
    """Seconds since 1970, for people and for file times; never for a deadline."""
    return time.time()


def since_boot() -> float:
    """Seconds since the machine started, suspension included: what process start times count."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def sleep(seconds: float) -> None:
    time.sleep(max(0.0, seconds))


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(now() + seconds)

    @property
    def left(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.at - now())

    @property
    def over(self) -> bool:
        return now() >= self.at
