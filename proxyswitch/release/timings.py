"""How a plan went: its steps, when each began and how long it took. For the history, and for who looks at it later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from proxyswitch.release.journal import Record
from proxyswitch.system import clock


class Timed(Struct, frozen=True, omit_defaults=True):
    """A step in words. `at`: so many seconds after the first one began; `seconds` it took, also where it `failed`."""

    step: str
    at: float
    seconds: float
    failed: bool = False


class Timings:
    """What one run measures, by the monotonic clock."""

    def __init__(self) -> None:
        self.begun = clock.now()
        self.steps: list[Timed] = []

    @contextmanager
    def of(self, words: str) -> Iterator[None]:
        """Measure a step; one that raises has failed."""
        begun, failed = clock.now(), True
        try:
            yield
            failed = False
        finally:
            self._add(words, begun, clock.now(), failed=failed)

    def _add(self, words: str, begun: float, ended: float, *, failed: bool) -> None:
        self.steps.append(Timed(words, round(begun - self.begun, 3), round(ended - begun, 3), failed))


def read(records: Iterable[Record], words: list[str]) -> list[Timed]:
    """The same of a run that was killed, from its journal; the step that was under way then has failed.

    The journal has the times of the wall clock, which may have been set meanwhile: nothing takes less than no time.
    """
    known = list(records)
    began, ended = _times(known, "begin"), _times(known, "done")
    first, last = (known[0]["at"], known[-1]["at"]) if known else (0.0, 0.0)
    return [
        Timed(words[number], _between(first, at), _between(at, ended.get(number, last)), failed=number not in ended)
        for number, at in began.items()
    ]


def _times(records: list[Record], what: str) -> dict[int, float]:
    """When each step began, or was done."""
    return {r["number"]: r["at"] for r in records if r["kind"] == "step" and r["state"] == what}


def _between(earlier: float, later: float) -> float:
    return round(max(0.0, later - earlier), 3)
