"""A load client that NEVER retries, so that it sees each failed request that a user could have seen.

Threads, each doing one kind of request in a loop. Every request ends in exactly one outcome, and is counted by it:

`ok` · `http 502` (any status from 400 on) · `refused` · `reset`, `closed` (no byte of answer, on a FRESH connection) ·
`cut` (in the middle of the answer) · `timeout` · `error` (the connection could not be made for any other reason) ·
`reused`: the server closed a kept-alive connection just as the request was sent. A browser sends such a request again,
so it is no failure, and counted apart: a reload of nginx does this to kept-alive clients.
"""

from __future__ import annotations

import contextlib
import select
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from proxyswitch.model import Endpoint
from proxyswitch.system import net
from proxyswitch.system.clock import Deadline, now

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

PEEK = 2  # MSG_PEEK: look at what has arrived, and leave it there
MAX_ERRORS = 20
CHUNK, CHUNKS, CHUNK_PAUSE = b"x" * 1024, 10, 0.1
COLUMNS = ("requests", "sent", "ok", "failed", "reused")


class Outcome(NamedTuple):
    """How one request ended; `text` says more where it failed."""

    kind: str
    version: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request. `kept` keeps the connection for the next one; `trickle` sends a body bit by bit."""

    name: str
    target: str = "/"
    pause: float = 0.02
    kept: bool = False
    trickle: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What the load saw. `failures` does not contain `reused_closed`.

    `by_kind` counts outcomes, `by_request` the outcomes of each kind of request. `first_seen` and `last_seen` are the
    monotonic times of the first and the last good answer of each version.
    """

    seconds: float
    requests: int
    failures: int
    reused_closed: int
    by_kind: dict[str, int]
    by_version: dict[str, int]
    by_request: dict[str, dict[str, int]]
    first_seen: dict[str, float]
    last_seen: dict[str, float]
    errors: list[str]

    def rows(self) -> list[tuple[str, ...]]:
        """A row for each kind of request, then one for all, under COLUMNS."""
        return [_row(name, kinds) for name, kinds in (*self.by_request.items(), ("all", self.by_kind))]


def _row(name: str, kinds: dict[str, int]) -> tuple[str, ...]:
    sent, ok, reused = sum(kinds.values()), kinds.get("ok", 0), kinds.get("reused", 0)
    return name, str(sent), str(ok), str(sent - ok - reused), str(reused)


class Tally:
    """The counts of all threads, behind one lock."""

    def __init__(self) -> None:
        self.begun = now()
        self._lock = threading.Lock()
        self._requests: dict[str, Counter[str]] = {}
        self._versions: Counter[str] = Counter()
        self._first: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self._errors: list[str] = []

    def add(self, name: str, outcome: Outcome) -> None:
        with self._lock:
            at = now()
            self._requests.setdefault(name, Counter())[outcome.kind] += 1
            if outcome.kind == "ok":
                self._versions[outcome.version] += 1
                self._first.setdefault(outcome.version, at)
                self._last[outcome.version] = at
            elif outcome.kind != "reused" and len(self._errors) < MAX_ERRORS:
                self._errors.append(f"{name}, {at - self.begun:.2f} s after the start: {outcome.text}")

    def summary(self) -> Summary:
        with self._lock:
            kinds = sum(self._requests.values(), Counter[str]())
            return Summary(
                seconds=now() - self.begun,
                requests=kinds.total(),
                failures=kinds.total() - kinds["ok"] - kinds["reused"],
                reused_closed=kinds["reused"],
                by_kind=dict(kinds),
                by_version=dict(self._versions),
                by_request={name: dict(counts) for name, counts in sorted(self._requests.items())},
                first_seen=dict(self._first),
                last_seen=dict(self._last),
                errors=list(self._errors),
            )


class Client:
    """Sends one kind of request over one connection at a time. `wait` is how it pauses between the parts of a body."""

    def __init__(self, address: Endpoint, kind: Kind, timeout: float, wait: Callable[[float], object]) -> None:
        self.address, self.kind, self.timeout, self.wait = address, kind, timeout, wait
        self._connection: HTTPConnection | None = None

    def request(self) -> Outcome:
        """One request, sent once."""
        reused = self._still_open()
        try:
            connection = reused or self._connect()
        except OSError as error:
            return unconnected(error)
        outcome = self._exchange(connection, fresh=reused is None)
        if outcome.kind != "ok" or not self.kind.kept:
            self.close()
        return outcome

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def _still_open(self) -> HTTPConnection | None:
        """The kept connection. One that the server has closed meanwhile is dropped, as any pooling client does."""
        if self._connection and self._connection.sock:
            poll = select.poll()
            poll.register(self._connection.sock, select.POLLIN | select.POLLRDHUP)
            if not poll.poll(0):
                return self._connection
        self.close()
        return None

    def _connect(self) -> HTTPConnection:
        from http.client import HTTPConnection

        connection = HTTPConnection(self.address.host or "localhost", self.address.port or None)
        connection.auto_open = 0  # it must never connect again by itself
        self.attach(connection)
        self._connection = connection
        return connection

    def attach(self, connection: HTTPConnection) -> None:
        """Connect; a subclass may put TLS around it. Raises OSError."""
        connection.sock = net.connect(self.address, self.timeout)

    def _exchange(self, connection: HTTPConnection, *, fresh: bool) -> Outcome:
        """Send, and tell an answer that never began from one that broke off: only the first may be harmless."""
        try:
            with contextlib.suppress(ConnectionError):  # it may have answered all the same: the look says
                self._send(connection)
            begun = connection.sock.recv(1, PEEK)
        except TimeoutError as error:
            return failed("timeout", error)
        except OSError as error:
            return failed("reset" if fresh else "reused", error)
        if not begun:
            return Outcome("closed" if fresh else "reused", text="closed without an answer")
        return _read(connection)

    def _send(self, connection: HTTPConnection) -> None:
        headers = {} if self.kind.kept else {"Connection": "close"}
        if self.kind.trickle:
            headers["Content-Length"] = str(len(CHUNK) * CHUNKS)
            connection.request("POST", self.kind.target, self._trickle(), headers)
        else:
            connection.request("GET", self.kind.target, None, headers)

    def _trickle(self) -> Iterator[bytes]:
        for _ in range(CHUNKS):
            yield CHUNK
            self.wait(CHUNK_PAUSE)


def _read(connection: HTTPConnection) -> Outcome:
    from http.client import HTTPException

    version = ""
    try:
        with connection.getresponse() as response:
            version = response.getheader("X-Version") or "unknown"
            response.read()
            return _judge(response, version)
    except (OSError, HTTPException) as error:
        return failed("timeout" if isinstance(error, TimeoutError) else "cut", error, version)


def _judge(response: HTTPResponse, version: str) -> Outcome:
    if response.status < 400:
        return Outcome("ok", version)
    return Outcome(f"http {response.status}", version, f"HTTP {response.status} {response.reason}")


def failed(kind: str, error: Exception, version: str = "") -> Outcome:
    """The outcome of a request that ended in that error; `version` began to answer it."""
    return Outcome(kind, version, f"{kind}: {error}" if str(error) else kind)


def unconnected(error: OSError) -> Outcome:
    """The outcome of a request for which no connection could be made."""
    kinds = {TimeoutError: "timeout", ConnectionRefusedError: "refused"}
    return failed(kinds.get(type(error), "error"), error)


@dataclass
class Load:
    """So many threads of each kind against `address`. They end at `stop()`, or by themselves after `limit` seconds.

    A request may take `timeout` seconds without a byte (a long one `long_seconds` more). Used once.
    """

    address: Endpoint
    _: KW_ONLY
    keepalive: int = 4
    closing: int = 2
    idle: int = 2
    long: int = 2
    uploads: int = 0
    long_seconds: float = 2.0
    limit: float = 300.0
    timeout: float = 10.0
    _end: threading.Event = field(default_factory=threading.Event, init=False)
    _tally: Tally = field(default_factory=Tally, init=False)
    _threads: list[threading.Thread] = field(default_factory=list, init=False)
    _summary: Summary | None = field(default=None, init=False)

    def __enter__(self) -> Load:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        if self._threads:
            raise RuntimeError("this load was started before")
        self._tally.begun = now()
        deadline = Deadline.after(self.limit)
        for kind, count in self._kinds():
            for _ in range(count):
                thread = threading.Thread(target=self._work, args=(kind, deadline), name=kind.name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _kinds(self) -> list[tuple[Kind, int]]:
        return [
            (Kind("keep-alive", kept=True), self.keepalive),
            (Kind("new connection"), self.closing),
            (Kind("idle keep-alive", pause=1.0, kept=True), self.idle),
            (Kind("long", f"/slow?seconds={self.long_seconds:g}"), self.long),
            (Kind("upload", "/upload", trickle=True), self.uploads),
        ]

    def _work(self, kind: Kind, deadline: Deadline) -> None:
        client = Client(self.address, kind, self.timeout + self.long_seconds, self._end.wait)
        with contextlib.closing(client):
            while not self._end.is_set() and not deadline.over:
                self._tally.add(kind.name, client.request())
                self._end.wait(min(kind.pause, deadline.left))

    @property
    def running(self) -> bool:
        """True while any thread still sends."""
        return any(thread.is_alive() for thread in self._threads)

    def summary(self) -> Summary:
        """What was seen so far."""
        return self._summary or self._tally.summary()

    def stop(self) -> Summary:
        """Let the requests under way end, join all threads, and say what was seen."""
        self._end.set()
        deadline = Deadline.after(2 * (self.timeout + self.long_seconds))
        for thread in self._threads:
            thread.join(deadline.left)
        self._summary = self.summary()
        return self._summary
