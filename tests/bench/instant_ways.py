"""Three ways to put a new version in the old one's place: a flag, a reload that is proved, and the usual script."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from proxyswitch.model import Endpoint
from proxyswitch.system import net
from proxyswitch.system.clock import Deadline, now, sleep
from tests.bench.instant_conf import HOST, INSTANT, PLAIN, config, flags, flip, instant_pools, make_flags, plain_pool, server
from tests.e2e.support import Bench, eventually
from tests.load import APP
from tests.load.tls import certificate

SLOTS = ("blue", "green")
QUIET, LOOK, DRAIN = 1.0, 0.05, 60.0
USUAL = """\
set -e
sed -i s/{old}/{new}/ {pools}
nginx -p {folder} -c {conf} -e {folder}/error.log -s reload
sleep 5
kill {pid}
"""


@dataclass
class Stage:
    """An nginx and two places for instances, of which one is live."""

    place: Bench
    tls: int = field(default_factory=net.free_port)
    ports: tuple[int, int] = field(default_factory=lambda: (net.free_port(HOST), net.free_port(HOST)))
    children: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.place.folder

    def open(self, way: Way) -> None:
        """Version 0 is live, in the first place."""
        certificate(self.folder)
        make_flags(self.folder)
        self.place.pools.write_text(way.pools(*self.ports))
        form = INSTANT if way.instant else PLAIN
        text = config(self.folder, f"include {self.place.pools};", server(self.folder, self.place.port, form, self.tls))
        self.place.conf.write_text(text)
        self.begin(0)
        self.place.start()

    def begin(self, number: int) -> None:
        """Start that version, in the place whose turn it is, and wait until it listens."""
        port = self.ports[number % 2]
        env = {**os.environ, "HOST": HOST, "PORT": str(port), "APP_VERSION": str(number)}
        child = subprocess.Popen([sys.executable, str(APP)], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.children[number] = child
        self.place.started.append(child)
        assert eventually(lambda: net.is_listening(Endpoint(HOST, port))), f"version {number} does not start"

    def end(self, number: int) -> None:
        """Stop that version, as it is stopped in real life: at once, whatever it does."""
        child = self.children.pop(number)
        child.terminate()
        child.wait(DRAIN)


class Way(NamedTuple):
    """`switch` brings that version in, and comes back when the old one may be stopped (or has stopped it)."""

    name: str
    pools: Callable[[int, int], str]
    instant: bool
    switch: Callable[[Stage, int], None]


def by_flag(stage: Stage, number: int) -> None:
    """One rename, and the wait until nothing has been connected to the old instance for a second."""
    flip(flags(stage.folder), 100 * (number % 2))
    wait_for_none(Endpoint(HOST, stage.ports[(number - 1) % 2]))


def wait_for_none(old: Endpoint) -> None:
    """Until there was no connection to it for QUIET seconds. Raises AssertionError after DRAIN seconds."""
    deadline, quiet = Deadline.after(DRAIN), Deadline.after(QUIET)
    while not quiet.over:
        assert not deadline.over, f"still connected to {old} after {DRAIN:g} s"
        if net.connections([old])[old]:
            quiet = Deadline.after(QUIET)
        sleep(LOOK)


def by_command(target: Callable[[Stage, int], str]) -> Callable[[Stage, int], None]:
    """`proxyswitch switch POOL TARGET --drain 60s`."""

    def switch(stage: Stage, number: int) -> None:
        done = stage.place.run("switch", "app_backend", target(stage, number), "--drain", f"{DRAIN:g}s", "--quiet")
        assert done.code == 0, done.err

    return switch


def address(stage: Stage, number: int) -> str:
    return f"{HOST}:{stage.ports[number % 2]}"


def slot(_stage: Stage, number: int) -> str:
    return SLOTS[number % 2]


def by_script(stage: Stage, number: int) -> None:
    """As most scripts do it: they end the old instance themselves."""
    names = {"folder": stage.folder, "conf": stage.place.conf, "pools": stage.place.pools}
    pid = stage.children[number - 1].pid
    text = USUAL.format(old=stage.ports[(number - 1) % 2], new=stage.ports[number % 2], pid=pid, **names)
    env = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"}
    subprocess.run(["sh", "-c", text], env=env, check=True, capture_output=True, timeout=DRAIN)


def plain(port: int, _other: int) -> str:
    return plain_pool(port)


WAYS = (
    Way("instant: a flag, and the wait", instant_pools, True, by_flag),
    Way("proxyswitch switch --drain (reload)", plain, False, by_command(address)),
    Way("sed, reload, sleep 5, kill", plain, False, by_script),
)


class Switch(NamedTuple):
    """When the command of one switch began, and when the old version had been stopped."""

    old: str
    new: str
    begun: float
    stopped: float


def rounds(stage: Stage, way: Way, count: int, steady: float) -> list[Switch]:
    """So many releases: start the new, `steady` seconds of rest, switch, stop the old."""
    done = []
    for number in range(1, count + 1):
        stage.begin(number)
        sleep(steady)
        begun = now()
        way.switch(stage, number)
        stage.end(number - 1)
        done.append(Switch(str(number - 1), str(number), begun, now()))
    sleep(steady)
    return done
