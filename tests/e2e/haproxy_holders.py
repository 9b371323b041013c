"""What holds a server of HAProxy, and how HAProxy counts it."""

from __future__ import annotations

import contextlib
import csv
import http.client
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.clients import UPGRADE, Fetch, Raw, raw
from tests.e2e.haproxy_support import HaproxyBench
from tests.e2e.support import LIMIT, eventually


def counted(place: HaproxyBench, backend: str = "app_backend", server: str = "app-blue", worker: int = 0) -> tuple[int, int]:
    """The sessions that HAProxy counts on a server, and those in its queue; of an old worker, through its master."""
    text = place.ask_master(f"@!{worker} show stat") if worker else place.ask("show stat")
    rows = csv.DictReader(text.removeprefix("# ").strip().splitlines())
    (row,) = (r for r in rows if (r["pxname"], r["svname"]) == (backend, server))
    return int(row["scur"]), int(row["qcur"])


@contextmanager
def held(place: HaproxyBench, backend: str = "app_backend", server: str = "app-blue", port: int = 0) -> Iterator[Raw]:
    """A websocket to an echo server, which HAProxy counts on that server."""
    before = counted(place, backend, server)[0]
    client = Raw(port or place.port)
    with contextlib.closing(client):
        client.send(UPGRADE)
        assert client.head()[0] == "HTTP/1.1 101 Switching Protocols"
        assert eventually(lambda: counted(place, backend, server)[0] > before)
        yield client


@contextmanager
def uploading(place: HaproxyBench) -> Iterator[Raw]:
    """An upload that has begun: send ten more bytes, and it is whole."""
    with raw(place) as client:
        client.send("POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 20\r\n\r\n" + "x" * 10)
        assert eventually(lambda: counted(place)[0])
        yield client


def slow(place: HaproxyBench, seconds: float) -> Fetch:
    """A request that has reached app-blue, and takes so long."""
    before = sum(counted(place))
    fetch = Fetch(f"http://127.0.0.1:{place.port}/slow?seconds={seconds}")
    assert eventually(lambda: sum(counted(place)) > before)
    return fetch


def aged(place: HaproxyBench, seconds: int = 1, server: str = "app_backend srv=app-blue") -> bool:
    """True when a session on that server is so old by HAProxy's own clock."""
    found = re.findall(rf"be={server} .*? age=(\d+)s", place.ask("show sess"))
    return any(int(age) >= seconds for age in found)


class Keeper:
    """A browser: one client that sends back the cookies it was given, one request after the other, and retries none."""

    def __init__(self, place: HaproxyBench, cookie: str = "", pause: float = 0.0) -> None:
        self.port, self.cookie, self.pause = place.port, cookie, pause
        self.versions: Counter[str] = Counter()
        self.latest = ""
        self.errors: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Keeper:
        self._thread.start()
        assert eventually(lambda: self.versions.total() > 5 or self.errors)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(LIMIT)

    def _work(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        with contextlib.closing(connection):
            while not self._end.is_set() and not self.errors:
                try:
                    self._request(connection)
                except (OSError, http.client.HTTPException) as error:
                    self.errors.append(repr(error))
                self._end.wait(self.pause)

    def _request(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", "/", headers={"Cookie": self.cookie} if self.cookie else {})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            self.errors.append(f"HTTP {answer.status}")
        given = answer.getheader("Set-Cookie")
        self.cookie = given.partition(";")[0] if given else self.cookie
        self.latest = answer.getheader("X-Version") or ""
        self.versions[self.latest] += 1
