"""What instant mode costs: wrk on the same site, with plain `proxy_pass` and with each part of instant mode, in turns.

Each form is an nginx of its own, on the same processor; only one is asked at a time. Beside the throughput stands the
processor time of the worker a request, which other load on the machine moves less.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from proxyswitch.system import net, proc
from tests.bench.instant_conf import HOST, KEEPALIVE, adopt, config, pool, site
from tests.e2e.support import Bench, bench, eventually

OTHER = "127.0.0.3"  # where the backend listens too: the second slot
GATE = re.compile(r"\n *if \(-e \S+/gate/\S+_gate\) \{ rewrite [^}]*\}")
ROUNDS, SECONDS, CLIENTS = 15, 1, 32
EXPECTED = 0.95
PINNED = "worker_processes 1; worker_cpu_affinity {};"


class Form(NamedTuple):
    """How the site passes to its pool."""

    name: str
    instant: bool = True
    gate: bool = True
    log: bool = False


FORMS = (
    Form("plain proxy_pass", instant=False),
    Form("instant, without the gate", gate=False),
    Form("instant"),
    Form("instant, with the log", log=True),
)


class Run(NamedTuple):
    """One run of wrk: requests a second, and microseconds of the workers' processors a request."""

    rate: float
    cost: float


@contextmanager
def backend() -> Iterator[int]:
    """An nginx that answers at once, at HOST and OTHER; its port."""
    with opened() as place:
        port = net.free_port(HOST)
        listen = f"listen {HOST}:{port}; listen {OTHER}:{port}; listen 127.0.0.1:{place.port};"
        answer = 'location / { return 200 "hello from version 1\\n"; }'
        place.conf.write_text(config(place.folder, "", f"server {{ {listen} {answer} }}\n", PINNED.format("10")))
        place.start()
        yield port


@contextmanager
def opened() -> Iterator[Bench]:
    """A bench in a new folder."""
    with tempfile.TemporaryDirectory() as folder, bench(Path(folder)) as place:
        yield place


def bring_up(place: Bench, form: Form, port: int, keepalive: str) -> None:
    """Start nginx with the site in that form, before the backend's port."""
    blue, green = f"{HOST}:{port}", f"{OTHER}:{port}"
    servers = site(place.folder, place.port)
    place.conf.write_text(config(place.folder, pool(blue, keepalive), servers, PINNED.format("01")))
    place.start()
    if form.instant:
        adopt(place, blue, green, *(["--log", str(place.folder / "access.log")] if form.log else []))
    if not form.gate:
        without_gate(place)


def without_gate(place: Bench) -> None:
    """The same without the test for maintenance, by hand."""
    text, count = GATE.subn("", place.conf.read_text())
    assert count == 1, text
    place.conf.write_text(text)
    old = place.workers.active
    place.checked(["/usr/sbin/nginx", "-p", str(place.folder), "-c", str(place.conf), "-s", "reload"])
    assert eventually(lambda: place.workers.active and not old & place.workers.active)


def run(place: Bench) -> Run:
    """One run against that site. Raises AssertionError when any answer was not good."""
    before = used(place)
    argv = ["taskset", "2", "wrk", "-t1", f"-c{CLIENTS}", f"-d{SECONDS}s", f"http://127.0.0.1:{place.port}/"]
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
    with backend() as port, ExitStack() as stack:
        places = [stack.enter_context(opened()) for _ in FORMS]
        for place, form in zip(places, FORMS, strict=True):
            bring_up(place, form, port, keepalive)
        runs: list[list[Run]] = [[] for _ in FORMS]
        for number in range(ROUNDS):
            for i in range(len(FORMS))[:: 1 if number % 2 else -1]:
                runs[i].append(run(places[i]))
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
    found = rows[FORMS.index(Form("instant"))]
    ratios = f"{found.rate_paired:.3f} measured, {1 / found.cost_paired:.3f} by processor time"
    print(f"instant / plain: {ratios}; expected: {EXPECTED}")


def main() -> None:
    """Measure and print: with kept connections to the instance, and with a new one for each request."""
    if not shutil.which("wrk"):
        print("throughput: not measured, as wrk is missing; install it with: apt-get install wrk")
        return
    print(f"throughput: wrk, {CLIENTS} connections, {ROUNDS} runs of {SECONDS} s each, in turns; one worker, own processor")
    print("ratio: best quarter to that of plain; paired: median over neighbouring runs; us: of the worker's processor")
    report("upstream with keepalive, and an instance that answers at once: the hardest case", measure())
    report("upstream without keepalive", measure(""))
