"""A canary is judged by the log of its pool: an instant pool made by hand, a real nginx, rotations under load."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from proxyswitch import polling
from proxyswitch.proxies import nginx_log
from proxyswitch.proxies.nginx_log import Request, Tally
from proxyswitch.proxies.nginx_log_follow import Follower
from proxyswitch.system import signals
from tests.e2e.clients import UPGRADE, Raw, echo_server, raw
from tests.e2e.support import LIMIT, Bench, eventually
from tests.ports import free_port

SHARE = 5
BATCH = 400
FORMAT = (
    'log_format proxyswitch escape=json \'{"time":$msec,"status":$status,"seconds":$request_time,"upstream_addr":'
    '"$upstream_addr","upstream_status":"$upstream_status","upstream_seconds":"$upstream_response_time"}\';'
)
BUCKETS = "".join(f"1% {n}; " for n in range(99)) + "* 99;"

CONF = """\
@user@worker_processes 2;
pid nginx.pid;
error_log error.log notice;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    @format@
    split_clients $http_x_user $proxyswitch_bucket { @buckets@ }
    include pools.conf;
    server {
        listen 127.0.0.1:@port@;
        access_log @folder@/proxyswitch.log proxyswitch buffer=32k flush=1s;
        set $app_backend_slot app_backend_blue;
        if (-e @folder@/green/$proxyswitch_bucket) { set $app_backend_slot app_backend_green; }
        location / {
            proxy_pass http://$app_backend_slot;
            proxy_next_upstream error timeout http_500;
            add_header X-Bucket $proxyswitch_bucket always;
        }
        @more@
    }
    server { listen 127.0.0.1:@blue@; location / { return 200 good; } }
    @canary@
}
"""
POOLS = """\
upstream app_backend_blue {
    server 127.0.0.1:@blue@ max_fails=0;
    server 127.0.0.1:@green@ backup max_fails=0;
}
upstream app_backend_green {
    server 127.0.0.1:@green@ max_fails=0;
    server 127.0.0.1:@blue@ backup max_fails=0;
}
"""
ANSWERS = "server { listen 127.0.0.1:@green@; location / { return @status@ good; } }"


def filled(text: str, values: dict[str, object]) -> str:
    """A template whose braces are nginx's, as one for `Bench.write`."""
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    text = text.replace("{", "{{").replace("}", "}}")
    return text.replace("@user@", "{user}").replace("@port@", "{port}")


class Canary:
    """An nginx with an instant pool, 5 % of whose clients are sent to green."""

    def __init__(self, place: Bench) -> None:
        self.place = place
        self.blue, self.green = free_port(), free_port()
        self.log = place.folder / "proxyswitch.log"
        self.slots = {f"127.0.0.1:{self.blue}": "blue", f"127.0.0.1:{self.green}": "green"}
        self.sent = self.to_green = 0
        self.users = count()

    def start(self, status: int = 0, more: str = "", pools: str = "") -> None:
        """Start it; green answers with that status, or refuses connections."""
        flags = self.place.folder / f"pct-{SHARE}"
        flags.mkdir()
        for bucket in range(SHARE):
            (flags / str(bucket)).touch()
        (self.place.folder / "green").symlink_to(flags.name)
        values = {
            "format": FORMAT,
            "buckets": BUCKETS,
            "folder": self.place.folder,
            "more": more,
            "canary": ANSWERS if status else "",
            "blue": self.blue,
            "green": self.green,
            "status": status,
        }
        self.place.write(self.blue, filled(CONF, values), filled(POOLS + pools, values))
        self.place.start()

    def send(self, number: int = BATCH) -> None:
        """So many requests, each of another user, over four connections; every one must get a good answer."""
        users = [f"user-{next(self.users)}" for _ in range(number)]
        with ThreadPoolExecutor(4) as pool:
            buckets = [b for found in pool.map(self.ask, [users[n::4] for n in range(4)]) for b in found]
        self.sent += number
        self.to_green += sum(b < SHARE for b in buckets)

    def ask(self, users: list[str]) -> list[int]:
        """The buckets that these users are in."""
        client = http.client.HTTPConnection("127.0.0.1", self.place.port, timeout=LIMIT)
        found = [self.ask_one(client, user) for user in users]
        client.close()
        return found

    def ask_one(self, client: http.client.HTTPConnection, user: str) -> int:
        try:
            client.request("GET", "/", headers={"X-User": user})
            answer = client.getresponse()
        except ConnectionError:  # a reload closes idle connections, and this was one: clients ask again
            client.close()
            return self.ask_one(client, user)
        assert (answer.status, answer.read()) == (200, b"good")
        return int(answer.headers["X-Bucket"])

    def rename(self) -> None:
        """Rotate the log as logrotate does by default."""
        self.move_up()
        self.log.rename(self.old(1))
        assert signals.send(self.place.master, signal.SIGUSR1)
        assert eventually(self.log.exists)

    def truncate(self) -> None:
        """Rotate it with copytruncate. What is written between copy and truncation would be lost, so wait for all."""
        assert eventually(lambda: self.written() == self.sent)
        self.move_up()
        shutil.copy(self.log, self.old(1))
        os.truncate(self.log, 0)

    def move_up(self) -> None:
        for number in range(9, 0, -1):
            if self.old(number).exists():
                self.old(number).rename(self.old(number + 1))

    def old(self, number: int) -> Path:
        return self.log.with_name(f"{self.log.name}.{number}")

    def written(self) -> int:
        """The lines of all files of the log."""
        return sum(path.read_bytes().count(b"\n") for path in self.place.folder.glob("proxyswitch.log*"))


class Watch:
    """What a follower has read since."""

    def __init__(self, canary: Canary) -> None:
        self.canary, self.follower = canary, Follower(str(canary.log))
        self.before = (canary.sent, canary.to_green)
        self.tally = Tally()

    @property
    def sent(self) -> int:
        return self.canary.sent - self.before[0]

    @property
    def to_green(self) -> int:
        return self.canary.to_green - self.before[1]

    def look(self) -> bool:
        """Read on; true when every request that was sent has been counted."""
        self.tally += nginx_log.tally(self.follower.lines(), self.canary.slots)
        return self.tally.clients.attempts >= self.sent

    def restart(self) -> None:
        """As a command that was killed and is run again."""
        position, tally = json.dumps(self.follower.position), json.dumps(self.tally.as_data())
        self.follower = Follower(str(self.canary.log), json.loads(position))
        self.tally = Tally.from_data(json.loads(tally))

    def agrees(self, failed: bool = True) -> None:
        """Each request was counted once; clients saw nothing; each attempt at the canary failed, or none did."""
        assert eventually(self.look), self.tally
        self.look()
        tally = self.tally
        assert (tally.clients.attempts, tally.clients.failed) == (self.sent, 0)
        assert (tally.broken, tally.elsewhere, self.follower.lost) == (0, 0, 0)
        green, blue = tally.slots["green"], tally.slots["blue"]
        assert self.to_green > self.sent * SHARE / 100 / 2
        assert (green.attempts, green.failed) == (self.to_green, self.to_green if failed else 0)
        assert (blue.attempts, blue.failed) == (self.sent if failed else self.sent - self.to_green, 0)
        assert green.times.number == green.attempts


@pytest.fixture
def canary(place: Bench) -> Canary:
    return Canary(place)


@pytest.mark.parametrize("status", [500, 0])
def test_a_canary_that_fails_is_seen_although_clients_get_good_answers(canary: Canary, status: int) -> None:
    canary.start(status)
    watch = Watch(canary)
    canary.send(2 * BATCH)
    watch.agrees()
    assert set(watch.tally.slots["green"].statuses) == {status or 502}


def test_a_canary_that_works_has_no_failure(canary: Canary) -> None:
    canary.start(200)
    watch = Watch(canary)
    canary.send(2 * BATCH)
    watch.agrees(failed=False)


@pytest.mark.parametrize("looks", [True, False])
@pytest.mark.parametrize("how", ["rename", "truncate"])
def test_rotations_lose_nothing_and_count_nothing_twice(canary: Canary, how: str, looks: bool) -> None:
    canary.start(500)
    canary.send()
    assert eventually(lambda: canary.written() == canary.sent)
    watch = Watch(canary)
    for _ in range(3):
        canary.send()
        getattr(canary, how)()
        if looks:
            watch.look()
            watch.restart()
    canary.send()
    watch.agrees()


def test_rotated_and_reloaded_under_load(canary: Canary) -> None:
    """What workers have buffered that are busy, or shut down, comes late, into the file that was rotated."""
    canary.start(500)
    watch = Watch(canary)
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(canary.send, 8 * BATCH)
        for number in range(4):
            assert eventually(lambda: canary.log.stat().st_size or load.done())
            canary.rename()
            assert number or not load.done()
            if number == 1:
                assert signals.send(canary.place.master, signals.HUP)
            watch.look()
        load.result()
    watch.agrees()


MORE = """
        location /nobody { proxy_pass http://nobody; }
        location /unix { proxy_pass http://local; }
        location /again { proxy_pass http://127.0.0.1:@green@; proxy_intercept_errors on; error_page 500 = @blue; }
        location @blue { proxy_pass http://127.0.0.1:@blue@; }
        location /plain { return 204; }
        location /hang { proxy_pass http://127.0.0.1:@hang@; }
        location /timeout { proxy_pass http://127.0.0.1:@hang@; proxy_read_timeout 50ms; }
        location /socket {
            proxy_pass http://127.0.0.1:@echo@;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
        }
"""
MORE_POOLS = """
upstream nobody { server 127.0.0.1:@green@ down; server 127.0.0.1:@blue@ down; }
upstream local { server unix:@folder@/a.sock; server 127.0.0.1:@blue@ backup; }
"""


@pytest.fixture
def shapes(canary: Canary) -> Iterator[Canary]:
    """Locations that fail in every way."""
    with socket.create_server(("127.0.0.1", 0)) as hang, echo_server() as echo:
        values: dict[str, object] = {"hang": hang.getsockname()[1], "echo": echo, "folder": canary.place.folder}
        more, pools = MORE, MORE_POOLS
        for name, value in values.items():
            more, pools = more.replace(f"@{name}@", str(value)), pools.replace(f"@{name}@", str(value))
        canary.start(500, more, pools)
        yield canary


def logged(canary: Canary, path: str, ask: Callable[[Raw], None] | None = None) -> Request:
    """What the log says of one request."""
    follower = Follower(str(canary.log))
    with raw(canary.place) as client:
        if ask:
            ask(client)
        else:
            client.send(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
            assert client.head()
    found = polling.until(lambda: list(follower.lines()) or None, LIMIT)
    assert found
    (request,) = map(nginx_log.read, found)
    assert request, found
    return request


def tries(request: Request) -> list[tuple[str, int]]:
    return [(attempt.endpoint, attempt.status) for attempt in request.attempts]


def test_what_nginx_writes_is_understood(shapes: Canary) -> None:
    blue, green = shapes.slots
    sock = f"unix:{shapes.place.folder}/a.sock"
    assert tries(logged(shapes, "/plain")) == []
    assert tries(logged(shapes, "/nobody")) == [("nobody", 502)]
    assert tries(logged(shapes, "/unix")) == [(sock, 502), (blue, 200)]
    again = logged(shapes, "/again")  # an internal redirect
    assert (again.status, tries(again)) == (200, [(green, 500), (blue, 200)])
    timeout = logged(shapes, "/timeout")
    assert (timeout.status, [a.status for a in timeout.attempts]) == (504, [504])
    assert (timeout.attempts[0].seconds or 0) >= 0.05


def test_a_client_that_leaves_a_server_that_hangs(shapes: Canary) -> None:
    def leave(client: Raw) -> None:
        client.send("GET /hang HTTP/1.1\r\nHost: test\r\n\r\n")
        client.close()

    request = logged(shapes, "/hang", leave)
    assert request.status == 499
    assert [(a.status, a.left) for a in request.attempts] == [(0, True)]
    assert request.attempts[0].seconds is not None


def test_a_websocket(shapes: Canary) -> None:
    def upgrade(client: Raw) -> None:
        client.send(UPGRADE)
        assert client.head()[0] == "HTTP/1.1 101 Switching Protocols"
        assert client.echo("hello") == "hello"

    request = logged(shapes, "/socket", upgrade)
    assert (request.status, [a.status for a in request.attempts]) == (101, [101])
