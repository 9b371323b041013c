"""What instant mode costs: wrk on the same nginx, with plain `proxy_pass` and with each part of instant mode, in turns.

The forms differ in their server block only, so they share the workers. Beside the throughput stands the processor time of
the workers a request, which other load on the machine hardly moves.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from proxyswitch.system import net, proc
from tests.bench.instant_conf import (
    HOST,
    INSTANT,
    KEEPALIVE,
    PLAIN,
    Form,
    buckets,
    config,
    make_flags,
    plain_pool,
    server,
    slot,
)
from tests.e2e.support import Bench, bench

FORMS = (
    PLAIN,
    Form("instant without the gate", flag=True),
    INSTANT,
    Form("instant with the log", flag=True, gate=True, log=True),
)
ROUNDS, SECONDS, CLIENTS = 15, 1, 32
EXPECTED = 0.95
PINNED = "worker_processes 1; worker_cpu_affinity {};"


class Run(NamedTuple):
    """One run of wrk: requests a second, and microseconds of the workers' processors a request."""

    rate: float
    cost: float


@contextmanager
def backend() -> Iterator[int]:
    """An nginx that answers at once; its port."""
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as place:
        port = net.free_port(HOST)
        answer = 'location / { return 200 "hello from version 1\\n"; }'
        both = f"server {{ listen {HOST}:{port}; {answer} }}\nserver {{ listen 127.0.0.1:{place.port}; {answer} }}\n"
        place.conf.write_text(config(place.folder, "", both, PINNED.format("10")))
        place.start()
        yield port


def front(place: Bench, port: int, keepalive: str) -> list[int]:
    """Start nginx with a server block for each of FORMS; their ports. One worker, so that all runs are dealt out alike."""
    make_flags(place.folder)
    slots = "".join(slot(name, port, port, keepalive) for name in ("blue", "green"))
    pools = plain_pool(port, keepalive) + buckets() + slots
    ports = [place.port, *(net.free_port() for _ in FORMS[1:])]
    blocks = "".join(server(place.folder, at, form) for at, form in zip(ports, FORMS, strict=True))
    place.conf.write_text(config(place.folder, pools, blocks, PINNED.format("01")))
    place.start()
    return ports


def run(place: Bench, port: int) -> Run:
    """One run against that port. Raises AssertionError when any answer was not good."""
    before = used(place)
    argv = ["taskset", "2", "wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", f"http://127.0.0.1:{port}/"]
    text = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "Non-2xx" not in text, text
    assert "Socket errors" not in text, text
    rate, requests = (re.search(p, text) for p in (r"Requests/sec:\s+([\d.]+)", r"(\d+) requests in"))
    assert rate, text
    assert requests, text
    return Run(float(rate[1]), (used(place) - before) / int(requests[1]) * 1e6)


def used(place: Bench) -> float:
    """Seconds of processor that the workers have used: user and system."""
    fields = [proc.stat(process.pid) for process in place.workers.active]
    return sum(int(f[11]) + int(f[12]) for f in fields) / os.sysconf("SC_CLK_TCK")


def measure(keepalive: str = KEEPALIVE) -> list[list[Run]]:
    """The runs of each form, taken in turns; every second round backwards."""
    with backend() as port, tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as place:
        ports = front(place, port, keepalive)
        runs: list[list[Run]] = [[] for _ in FORMS]
        for number in range(ROUNDS):
            order = range(len(FORMS)) if number % 2 == 0 else reversed(range(len(FORMS)))
            for i in order:
                runs[i].append(run(place, ports[i]))
        return runs


def best(values: Iterable[float], *, most: bool) -> float:
    """The mean of the best quarter: what else the machine does slows runs down, and never speeds one up."""
    ordered = sorted(values, reverse=most)
    return statistics.mean(ordered[: -(-len(ordered) // 4)])


def paired(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """The median of the ratios of runs that were neighbours in time."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


class Row(NamedTuple):
    """One form: best rate and cost, and its ratios to plain `proxy_pass`: of the best runs, and of neighbours."""

    rate: float
    rate_ratio: float
    rate_paired: float
    cost: float
    cost_ratio: float
    cost_paired: float


def row(ours: list[Run], theirs: list[Run]) -> Row:
    """That form beside plain `proxy_pass`."""
    (rates, costs), (their_rates, their_costs) = zip(*ours, strict=True), zip(*theirs, strict=True)
    rate, cost = best(rates, most=True), best(costs, most=False)
    ratios = rate / best(their_rates, most=True), paired(rates, their_rates)
    return Row(rate, *ratios, cost, cost / best(their_costs, most=False), paired(costs, their_costs))


HEAD = f"{'form':<26} {'requests/s':>10} {'ratio':>7} {'paired':>7} {'us/request':>11} {'ratio':>7} {'paired':>7}"


def report(title: str, runs: list[list[Run]]) -> None:
    """Print a row for each form, and whether instant mode is as fast as we expect."""
    rows = [row(found, runs[0]) for found in runs]
    print(f"\n{title}\n{HEAD}")
    for form, r in zip(FORMS, rows, strict=True):
        print(f"{form.name:<26} {r.rate:>10.0f} {r.rate_ratio:>7.3f} {r.rate_paired:>7.3f} ", end="")
        print(f"{r.cost:>11.1f} {r.cost_ratio:>7.3f} {r.cost_paired:>7.3f}")
    found = rows[FORMS.index(INSTANT)].rate_paired
    print(f"instant / plain: {found:.3f}; {'as' if found >= EXPECTED else 'BELOW what is'} expected: {EXPECTED}")


def main() -> None:
    """Measure and print: with kept connections to the instance, and with a new one for each request."""
    if not shutil.which("wrk"):
        print("throughput: not measured, as wrk is missing; install it with: apt-get install wrk")
        return
    print(f"throughput: wrk, {CLIENTS} connections, {ROUNDS} runs of {SECONDS} s each, in turns; one worker, own processor")
    print("ratio: best quarter to that of plain; paired: median over neighbouring runs; us: of the worker's processor")
    report("upstream with keepalive, and an instance that answers at once: the hardest case", measure())
    report("upstream without keepalive", measure(""))
