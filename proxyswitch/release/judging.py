"""Does the new side fail more than it may? By what the proxy counts of both, in the same time. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from proxyswitch.errors import Failed
from proxyswitch.proxies.base import Tries
from proxyswitch.settings_release import Analysis

FEW = 3  # so many failures are needed before two sides are compared: one or two are chance


class Breach(Failed):
    """Exit 3: the new version fails more than it may, or is slower."""


class Sides(NamedTuple):
    """What was counted of the new side, and of the old one where there is one."""

    new: Tries = Tries()
    old: Tries | None = None


class View(NamedTuple):
    """What a person may see of a watch: the share of the new side in percent, what was counted, how many seconds it lasts
    and how many are left. `waits`: its time is over, and this is waited for. `counted` is false where nothing counts."""

    app: str
    new: str
    old: str
    share: int
    sides: Sides
    seconds: float
    left: float
    waits: str = ""
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Judge:
    """The limits of an app, and the names of the two sides."""

    limits: Analysis
    new: str
    old: str

    def can_tell(self, sides: Sides) -> bool:
        """True when the new side got enough requests."""
        return sides.new.requests >= self.limits.min_requests

    def judge(self, sides: Sides) -> None:
        """Raise Breach when the new side is over a limit; nothing while it got too few requests."""
        if not self.can_tell(sides):
            return
        if sides.new.rate > self.limits.max_error_rate:
            raise Breach(f"{self._failed(sides)}: more than {self.limits.max_error_rate}")
        old = sides.old
        if old is not None and old.requests >= self.limits.min_requests:
            self._compare(sides, old)

    def _compare(self, sides: Sides, old: Tries) -> None:
        limits, new = self.limits, sides.new
        usual = 100 * (old.failed + 1) / (old.requests + 1)  # as if one more had failed: none at all is chance too
        if limits.error_ratio and new.failed >= FEW and new.rate > limits.error_ratio * usual:
            raise Breach(f"{self._failed(sides)}: more than {limits.error_ratio:g} times as many")
        slower = limits.latency_ratio and new.seconds and old.seconds and new.seconds > limits.latency_ratio * old.seconds
        if slower:
            raise Breach(
                f"{self.new} took {_ms(new.seconds)} to answer, {self.old} {_ms(old.seconds)}:"
                f" more than {limits.latency_ratio:g} times as long"
            )

    def _failed(self, sides: Sides) -> str:
        """`green answered 37 of 412 with 5xx or not at all, blue 0 of 7,830`."""
        new, old = sides
        than = f", {self.old} {old.failed:,} of {old.requests:,}" if old is not None and self.old else ""
        return f"{self.new} answered {new.failed:,} of {new.requests:,} with 5xx or not at all{than}"


def _ms(seconds: float | None) -> str:
    return f"{1000 * (seconds or 0):.0f} ms"
