"""Values for tests of releases: pools, apps, and what runs."""

from __future__ import annotations

from typing import Any

from proxyswitch import settings_runners
from proxyswitch.model import Instance, Pool, ProcessId, Server, Where
from proxyswitch.release.plan import Release
from proxyswitch.settings import App

BLUE, GREEN = "127.0.0.1:3001", "127.0.0.1:3002"
SLOTS = {"blue": BLUE, "green": GREEN}


def pool(*servers: Server | str) -> Pool:
    rows = tuple(s if isinstance(s, Server) else Server(s) for s in servers)
    return Pool("app_backend", "nginx", "http", rows, Where("nginx.conf", 1))


def app(**more: Any) -> App:
    known: dict[str, Any] = {"slots": SLOTS, "process": settings_runners.Process(command=["run"])}
    return App(pool="app_backend", **(known | more))


def instance(slot: str, version: str) -> Instance:
    return Instance(slot, version, ProcessId(4242, 1))


def release(where: Pool, *, version: str = "2", slot: str = "", of: App | None = None, **running: str) -> Release:
    """`running`: the version by slot."""
    settings_of = of or app()
    instances = {s.name: instance(s.name, running[s.name]) if s.name in running else None for s in settings_of.places}
    return Release("web", settings_of, where, instances, version, slot)
