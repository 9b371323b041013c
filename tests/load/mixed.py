"""The mixed load: threads that each send one kind of request in a loop, over HTTP/1.1, HTTPS and HTTP/2."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple, Protocol

from proxyswitch.demo.load import Kind, Outcome
from proxyswitch.model import Endpoint
from proxyswitch.system.clock import Deadline, now
from tests.load.http1 import Connect, Http1, Pause, connector
from tests.load.http2 import Http2
from tests.load.records import Records
from tests.load.tls import client_context
from tests.load.websocket import WebSocket

TIMEOUT = 10.0
LONG_SECONDS = 8.0
BLIND = "idle"  # these send without a look whether the kept connection is still there: the worst clients for a reload
BUSY_PAUSE, IDLE_PAUSE = 0.01, 1.0


class Sender(Protocol):
    """One user: sends a request, and says how it ended."""

    def request(self) -> Outcome: ...

    def close(self) -> None: ...


class Plan(NamedTuple):
    """So many threads of one kind. The time that a `quick` one takes says how fast the site is; it pauses `pause` s."""

    name: str
    threads: int
    pause: float
    quick: bool
    make: Callable[[Pause], Sender]


def kinds(long_seconds: float) -> list[tuple[Kind, int]]:
    """What users of each protocol do, and how many of them."""
    return [
        (Kind("busy", kept=True, pause=BUSY_PAUSE), 3),
        (Kind("close", pause=BUSY_PAUSE), 1),
        (Kind("idle", kept=True, pause=IDLE_PAUSE), 4),
        (Kind("long", f"/slow?seconds={long_seconds:g}", kept=True), 2),
        (Kind("upload", "/upload", kept=True, trickle=True), 2),
    ]


def http1(name: str, address: Endpoint, connect: Connect, long_seconds: float) -> Iterator[Plan]:
    """A plan for each kind of request over HTTP/1.1."""
    for kind, count in kinds(long_seconds):

        def make(pause: Pause, kind: Kind = kind) -> Sender:
            return Http1(address, kind, connect, pause, looks=kind.name != BLIND)

        yield Plan(f"{name} {kind.name}", count, kind.pause, kind.target == "/", make)


def http2(name: str, connect: Connect, long_seconds: float) -> Iterator[Plan]:
    """The same over HTTP/2."""
    for kind, count in kinds(long_seconds):

        def make(pause: Pause, kind: Kind = kind) -> Sender:
            return Http2(kind, connect, pause)

        yield Plan(f"{name} {kind.name}", count, kind.pause, kind.target == "/", make)


class Mixed:
    """The load on `plain` (HTTP/1.1) and on `tls` (HTTPS and HTTP/2), while the block runs. Used once.

    A long request takes `long_seconds`, and a websocket is held that long; between two of them, and before the first, lies
    a pause of any length, so that they never march in step with the switches.
    """

    def __init__(self, plain: Endpoint, tls: Endpoint | None = None, long_seconds: float = LONG_SECONDS) -> None:
        self.records = Records()
        self.timeout = TIMEOUT + long_seconds
        self._plain, self._tls, self._long = plain, tls, long_seconds
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []

    def plans(self) -> list[Plan]:
        """All kinds of requests, as many threads as each has."""
        connect = connector(self._plain, self.timeout)
        found = [*http1("http", self._plain, connect, self._long), self._websockets("http", connect)]
        if self._tls:
            connect = connector(self._tls, self.timeout, client_context("http/1.1"))
            found += [*http1("https", self._tls, connect, self._long), self._websockets("https", connect)]
            found += http2("h2", connector(self._tls, self.timeout, client_context("h2")), self._long)
        return found

    def _websockets(self, name: str, connect: Connect) -> Plan:
        def make(pause: Pause) -> Sender:
            return WebSocket(connect, pause, self._long, self.records.heard)

        return Plan(f"{name} websocket", 2, BUSY_PAUSE, quick=False, make=make)

    def __enter__(self) -> Mixed:
        users = [plan for plan in self.plans() for _ in range(plan.threads)]
        for number, plan in enumerate(users):
            thread = threading.Thread(target=self._work, args=(plan, number), name=plan.name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let the requests under way end."""
        self._end.set()
        deadline = Deadline.after(2 * self.timeout)
        for thread in self._threads:
            thread.join(deadline.left)

    def _work(self, plan: Plan, number: int) -> None:
        dice = Random(number)
        self._end.wait(0.0 if plan.quick else dice.uniform(0, self._long))
        with contextlib.closing(plan.make(self._end.wait)) as sender:
            while not self._end.is_set():
                begun = now()
                self.records.add(plan.name, sender.request(), begun, quick=plan.quick)
                self._end.wait(plan.pause if plan.quick else dice.uniform(0, self._long / 2))

    @property
    def running(self) -> bool:
        """True while every thread still sends: one that has died would count no failure."""
        return all(thread.is_alive() for thread in self._threads)
