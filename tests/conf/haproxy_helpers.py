"""Short ways to an HAProxy config, a pool, an edit, and what HAProxy itself says of a text."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

from proxyswitch.conf import text
from proxyswitch.conf.haproxy import config as configs
from proxyswitch.conf.haproxy import edits, pools
from proxyswitch.conf.haproxy.condition import Facts
from proxyswitch.conf.haproxy.config import Config
from proxyswitch.conf.haproxy.pools import Backend
from proxyswitch.model import PoolChange, Server, ServerChange
from tests.conftest import FIXTURES

FOLDER = FIXTURES / "haproxy"
NAME = "/conf/haproxy.cfg"
ENV = {"LC_ALL": "C"}
HEAD = b"""\
global
    maxconn 100

defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s

frontend www
    bind 127.0.0.1:8000
    default_backend app

"""


def good() -> list[str]:
    return sorted(p.name for p in FOLDER.glob("*.cfg") if not p.name.startswith("bad-"))


def bad() -> list[str]:
    return sorted(p.name for p in FOLDER.glob("bad-*.cfg"))


def loaded(data: bytes, facts: Facts | None = None) -> Config:
    """A config of one file that exists nowhere."""
    return configs.load([NAME], facts, lambda _path: data)


def pool(data: bytes, name: str = "app", facts: Facts | None = None) -> Backend:
    (found,) = pools.backends(loaded(data, facts), name)
    return found


def servers(backend: Backend) -> list[Server]:
    return [row.server for row in backend.lines]


def change(*rows: tuple[Server | None, Server | None], name: str = "app") -> PoolChange:
    return PoolChange(name, tuple(ServerChange(before, after) for before, after in rows))


def applied(backend: Backend, wanted: PoolChange) -> bytes:
    """The file after the change."""
    return text.apply(backend.document.data, edits.edit(backend, wanted))


def check(haproxy: str, data: bytes, folder: Path = FOLDER, env: dict[str, str] | None = None) -> str:
    """What `haproxy -c` says against this text; '' when it accepts it."""
    argv, data = [haproxy, "-W", "-c", "-f", "/dev/stdin"], data.replace(b"default-path config", b"")
    done = subprocess.run(argv, cwd=folder, env=env or ENV, input=data, capture_output=True, check=False, timeout=60)
    assert done.returncode in (0, 1, 2), done.stderr.decode(errors="replace")
    return done.stderr.decode(errors="replace") or "refused" if done.returncode else ""


@cache
def facts_of(haproxy: str) -> Facts:
    """What HAProxy itself is, without variables but those of the tests."""
    said = subprocess.run([haproxy, "-vv"], capture_output=True, text=True, check=True, timeout=60).stdout
    version = re.search(r"^HAProxy version (\d+)\.(\d+)\.(\d+)", said, re.MULTILINE)
    listed = re.search(r"^Feature list : (.*)$", said, re.MULTILINE)
    assert version
    assert listed
    return Facts(ENV, tuple(map(int, version.groups())), frozenset(re.findall(r"\+(\w+)", listed[1])))
