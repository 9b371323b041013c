"""What users see during releases: instant mode, a reload that is proved, and the usual script, under the same load."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple

from proxyswitch.model import Endpoint
from tests.bench import instant_speed
from tests.bench.instant_ways import WAYS, Stage, Switch, Way, rounds
from tests.e2e.support import bench
from tests.load.mixed import Mixed
from tests.load.records import GROUPS, Records, Window

SWITCHES, STEADY, AROUND, SETTLE = 20, 3.0, 2.0, 0.5
COLUMNS = ("way", "requests", *GROUPS, "reused-closed", "p99 steady", "p99 at switches", "first of new", "last of old")
NOTE = f"""\
Nothing is sent again. p99: of requests without work of their own; at switches: {AROUND:g} s from the start of the command.
first of new, last of old: seconds from the start of the command to such an answer, median (most).
reused-closed: a kept connection was closed under the request, or HTTP/2's GOAWAY: a browser sends it again by itself."""


class Result(NamedTuple):
    """What the load saw of one way."""

    way: Way
    records: Records
    switches: list[Switch]

    @property
    def clean(self) -> bool:
        return not any(self.records.failures.values()) and not self.records.reused_closed

    def cells(self) -> tuple[str, ...]:
        failed = (str(self.records.failures[group]) for group in GROUPS)
        p99 = (_milliseconds(self.records.percentile(0.99, windows)) for windows in (self._steady(), self._around()))
        return (self.way.name, str(self.records.requests), *failed, str(self.records.reused_closed), *p99, *self._turns())

    def _around(self) -> list[Window]:
        return [Window(switch.begun, switch.begun + AROUND) for switch in self.switches]

    def _steady(self) -> list[Window]:
        """The rest before each command; the start of an instance, which costs a processor, is over then."""
        return [Window(switch.begun - STEADY + SETTLE, switch.begun) for switch in self.switches]

    def _turns(self) -> tuple[str, str]:
        first = [(self.records.first(s.new), s.begun) for s in self.switches]
        last = [(self.records.last(s.old), s.begun) for s in self.switches]
        return _times(first), _times(last)


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"


def _times(moments: list[tuple[float | None, float]]) -> str:
    took = [at - begun for at, begun in moments if at is not None]
    return f"{statistics.median(took):.2f} ({max(took):.2f}) s" if took else "-"


def measure(way: Way, switches: int) -> Result:
    """Release that often under the mixed load, which ends before the servers do."""
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as place:
        stage = Stage(place)
        stage.open(way)
        with Mixed(Endpoint("127.0.0.1", place.port), Endpoint("127.0.0.1", stage.tls)) as load:
            done = rounds(stage, way, switches, STEADY)
            assert load.running, "a client has died"
        return Result(way, load.records, done)


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell; the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def details(result: Result) -> list[str]:
    """Every kind of failure with who had begun to answer, and the first failures in words."""
    lines = [
        f"  {answered.name}: {answered.kind}, version {answered.version or 'of nobody'}: {count}"
        for answered, count in sorted(result.records.counts.items())
        if answered.kind != "ok"
    ]
    return (
        [f"{result.way.name}: what was not answered", *lines, *(f"  {e}" for e in result.records.errors[:5])]
        if lines
        else []
    )


def main(switches: int = SWITCHES) -> int:
    """Print what each way's users saw, and what instant mode costs. 1 when a user of instant mode has seen anything."""
    results = [measure(way, switches) for way in WAYS]
    print(f"{switches} releases each, under a load that never retries\n")
    print(table([COLUMNS, *(result.cells() for result in results)]))
    print(f"\n{NOTE}")
    for result in results:
        print("\n".join(details(result)))
    instant_speed.main()
    return int(any(result.way.instant and not result.clean for result in results))
