"""The tables of an app in `proxyswitch.toml`, and what is wrong with them that types cannot say."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta, field

from proxyswitch.model import Endpoint, Slot
from proxyswitch.settings_base import Command, Runner, Seconds, Section, seconds, suggest
from proxyswitch.settings_pm2 import Pm2
from proxyswitch.settings_release import (
    BLUE_GREEN,
    CANARY,
    ROLLING,
    STOP_START,
    STRATEGIES,
    Analysis,
    Canary,
    Migrate,
    Needs,
    Rolling,
    WarmUp,
)
from proxyswitch.settings_runners import (
    BESIDE,
    IN_PLACE,
    RUNNERS,
    Commands,
    Compose,
    Gunicorn,
    Process,
    Swarm,
    Systemd,
)

PROXIES = ("haproxy", "nginx")
AUTO = "auto"
AUTO_DRIVERS = ("compose", "swarm")


class Health(Section, frozen=True):
    """When an instance counts as healthy. Texts may contain {version}, {slot}, {address}, {host} and {port}."""

    url: str = "http://{address}/"
    status: int | str | list[int] = 200
    body: str = ""
    json: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    host: str = ""
    timeout: Seconds = seconds(2)
    total: Seconds = seconds(60)
    interval: Seconds = seconds(0.5)
    successes: Annotated[int, Meta(ge=1)] = 2
    insecure: bool = False


class Hooks(Section, frozen=True):
    """Commands of the release: an argv list, or a string for `/bin/sh -c`."""

    prepare: Command | None = None
    before_switch: Command | None = None
    after_switch: Command | None = None
    after_release: Command | None = None
    on_failure: Command | None = None
    cleanup: Command | None = None
    timeout: Seconds = seconds(600)


class App(Section, frozen=True):
    """One application: where its versions run, who starts them, and which pool sends them traffic."""

    slots: dict[str, str]
    pool: str = ""
    proxy: str = "nginx"
    driver: str = "process"
    command: Commands | None = None
    compose: Compose | None = None
    gunicorn: Gunicorn | None = None
    pm2: Pm2 | None = None
    process: Process | None = None
    swarm: Swarm | None = None
    systemd: Systemd | None = None
    health: Health | None = None
    hooks: Hooks = field(default_factory=Hooks)
    drain: Seconds = seconds(60)
    watch: Seconds = seconds(3)
    more_pools: list[str] = field(default_factory=list)
    strategy: str = ""
    canary: Canary = field(default_factory=Canary)
    rolling: Rolling = field(default_factory=Rolling)
    analysis: Analysis | None = None
    migrate: Migrate | None = None
    warmup: WarmUp | None = None
    keep: Annotated[int, Meta(ge=1)] = 2
    needs: Needs = field(default_factory=Needs)

    @property
    def way(self) -> str:
        """The strategy of a release, where the runner does not replace the version in place."""
        return self.strategy or BLUE_GREEN

    @property
    def targets(self) -> tuple[tuple[str, str], ...]:
        """The proxy and the name of each pool that sends it traffic; the first says what is live."""
        return tuple(_target(pool, self.proxy) for pool in (self.pool, *self.more_pools) if pool)

    @property
    def places(self) -> tuple[Slot, ...]:
        return tuple(Slot(name, _place(address)) for name, address in self.slots.items())

    @property
    def in_place(self) -> bool:
        """True where the runner itself replaces a running version, and no traffic is moved between slots."""
        return self.driver in IN_PLACE or (self.driver not in BESIDE and len(self.slots) == 1)


def _target(pool: str, proxy: str) -> tuple[str, str]:
    """`haproxy:app` names the proxy of a pool; without it, it is that of the app."""
    named, _, name = pool.partition(":")
    return (named, name) if named in PROXIES and name else (proxy, pool)


def _place(address: str) -> Endpoint:
    """`auto`: the runner gives out the addresses, and tells them."""
    return Endpoint() if address == AUTO else Endpoint.parse(address)


def only_runner(tree: Mapping[str, object]) -> str:
    """Who runs the app where no driver is named: the one whose table is there."""
    named = [name for name in RUNNERS if name in tree]
    return named[0] if len(named) == 1 else "process"


def problems(app: App) -> Iterator[str]:
    """What the types cannot say."""
    yield from _driver_problems(app)
    yield from _slot_problems(app)
    if app.proxy not in PROXIES:
        yield f"proxy: unknown proxy {app.proxy!r}; known: {', '.join(PROXIES)}"
    if not app.pool and not app.in_place and app.way != STOP_START:
        yield "pool: this key is required: the pool that sends traffic to one of the slots"
    yield from _strategy_problems(app)
    if app.health:
        yield from _health_problems(app.health)


def _driver_problems(app: App) -> Iterator[str]:
    if app.driver not in RUNNERS:
        known = ", ".join(RUNNERS)
        yield f"driver: unknown driver {app.driver!r}{suggest(app.driver, RUNNERS) or f'; known: {known}'}"
        return
    others = [name for name in RUNNERS if name != app.driver and getattr(app, name)]
    if others:
        yield f'{others[0]}: the driver is {app.driver}: remove this table, or write driver = "{others[0]}"'
    table: Runner | None = getattr(app, app.driver)
    if table is None:
        yield f'{app.driver}: this table is required by driver = "{app.driver}"'
    else:
        yield from (f"{app.driver}.{problem}" for problem in table.problems(tuple(app.slots)))


def _strategy_problems(app: App) -> Iterator[str]:
    for name in ("canary", "analysis", "migrate"):
        table = getattr(app, name)
        yield from (f"{name}.{problem}" for problem in (table.problems() if table else ()))
    if app.strategy and app.strategy not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        yield f"strategy: unknown strategy {app.strategy!r}{suggest(app.strategy, list(STRATEGIES)) or f'; known: {known}'}"
    elif app.strategy and app.in_place:
        yield f"strategy: {app.driver} replaces the version in place where the app has one slot: remove this key"
    elif app.strategy in (CANARY, ROLLING) and len(app.slots) < 2:
        yield f"strategy: {app.strategy} needs two slots or more"
    if app.more_pools and (app.in_place or not app.pool):
        yield "more_pools: only beside pool, for an app with several slots"
    if len(set(app.targets)) < len(app.targets):
        yield "more_pools: a pool is there twice"


def _slot_problems(app: App) -> Iterator[str]:
    if not app.slots:
        yield 'slots: at least one slot is needed, as blue = "127.0.0.1:3001"'
    if app.driver in IN_PLACE and len(app.slots) > 1:
        yield f"slots: {app.driver} replaces a version in place: exactly one slot, not {', '.join(app.slots)}"
    seen: dict[Endpoint, str] = {}
    for name, address in app.slots.items():
        yield from _address_problems(app, name, address)
        with contextlib.suppress(ValueError):
            other = seen.setdefault(_place(address), name)
            if other != name:
                yield f"slots.{name}: the same address as slot {other!r}"


def _address_problems(app: App, name: str, address: str) -> Iterator[str]:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        yield f"slots.{name}: the name of a slot is made of letters, digits, - and _"
    if address == AUTO and app.driver not in AUTO_DRIVERS:
        yield f"slots.{name}: {app.driver} gives out no addresses: write it, as 127.0.0.1:3001"
    elif address == AUTO and not app.in_place:
        yield f"slots.{name}: auto is for an app with one slot"
    try:
        _place(address)
    except ValueError as error:
        yield f"slots.{name}: {error}"


def _health_problems(health: Health) -> Iterator[str]:
    scheme = health.url.partition("://")[0]
    if scheme not in ("http", "https", "tcp", "unix"):
        yield f"health.url: {health.url!r} must begin with http://, https://, tcp:// or unix://"
    try:
        statuses(health.status)
    except ValueError as error:
        yield f"health.status: {error}"


def statuses(wanted: int | str | list[int]) -> frozenset[int]:
    """The HTTP statuses that count as healthy: 200, [200, 204] or \"200-299,304\". Raises ValueError."""
    if isinstance(wanted, int):
        wanted = [wanted]
    if isinstance(wanted, str):
        wanted = [s for part in wanted.split(",") for s in _range(part.strip())]
    if not wanted or not all(100 <= s <= 599 for s in wanted):
        raise ValueError('expected HTTP statuses from 100 to 599, as 200, [200, 204] or "200-299"')
    return frozenset(wanted)


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        raise ValueError(f"{text!r} is no HTTP status and no range as 200-299")
    return range(int(first), int(last or first) + 1)
