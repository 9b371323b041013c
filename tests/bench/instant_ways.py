"""Three ways to put a new version in the old one's place: instant mode, a reload that is proved, and the usual script."""

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
from proxyswitch.system.clock import now, sleep
from tests.bench.instant_conf import HOST, POOL, adopt, config, pool, site
from tests.e2e.support import Bench, eventually
from tests.load import APP
from tests.load.tls import certificate

SLOTS = ("blue", "green")
DRAIN = 60.0
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

    def address(self, number: int) -> str:
        """Where that version listens: the even ones in one place, the odd ones in the other."""
        return f"{HOST}:{self.ports[number % 2]}"

    def open(self, way: Way) -> None:
        """Version 0 is live, in the first place."""
        certificate(self.folder)
        self.place.pools.write_text(pool(self.address(0)))
        servers = site(self.folder, self.place.port, self.tls)
        self.place.conf.write_text(config(self.folder, f"include {self.place.pools};", servers))
        self.begin(0)
        self.place.start()
        if way.instant:
            adopt(self.place, self.address(0), self.address(1))

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
    instant: bool
    switch: Callable[[Stage, int], None]


def by_slot(stage: Stage, number: int) -> None:
    """Instant mode: the target is a slot."""
    _switch(stage, SLOTS[number % 2])


def by_address(stage: Stage, number: int) -> None:
    """A reload: the target is an address."""
    _switch(stage, stage.address(number))


def _switch(stage: Stage, target: str) -> None:
    done = stage.place.run("switch", POOL, target, "--drain", f"{DRAIN:g}s", "--quiet")
    assert done.code == 0, done.err


def by_script(stage: Stage, number: int) -> None:
    """As most scripts do it: they end the old instance themselves."""
    names = {"folder": stage.folder, "conf": stage.place.conf, "pools": stage.place.pools}
    pid = stage.children[number - 1].pid
    text = USUAL.format(old=stage.ports[(number - 1) % 2], new=stage.ports[number % 2], pid=pid, **names)
    env = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"}
    subprocess.run(["sh", "-c", text], env=env, check=True, capture_output=True, timeout=DRAIN)


WAYS = (
    Way("switch --drain, instant mode", True, by_slot),
    Way("switch --drain, by a reload", False, by_address),
    Way("sed, reload, sleep 5, kill", False, by_script),
)


class Switch(NamedTuple):
    """When the command began that put the new version in the old one's place."""

    old: str
    new: str
    begun: float


def rounds(stage: Stage, way: Way, count: int, steady: float) -> list[Switch]:
    """So many releases: start the new, `steady` seconds of rest, switch, stop the old."""
    done = []
    for number in range(1, count + 1):
        stage.begin(number)
        sleep(steady)
        begun = now()
        way.switch(stage, number)
        stage.end(number - 1)
        done.append(Switch(str(number - 1), str(number), begun))
    sleep(steady)
    return done
