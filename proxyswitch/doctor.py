"""Is everything here that proxyswitch needs, and right? Looks only; changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proxyswitch import proxies
from proxyswitch.errors import ProxyswitchError
from proxyswitch.proxies import nginx_master
from proxyswitch.release.world import World
from proxyswitch.system import state

# From this version on a reload need not cut kept-alive clients off (nginx's keepalive_min_timeout).
CLEAN_RELOAD = (1, 27, 4)


if TYPE_CHECKING:
    from proxyswitch.model import Pool
    from proxyswitch.proxies.base import Proxy
    from proxyswitch.proxies.haproxy import Haproxy
    from proxyswitch.proxies.nginx import Nginx
    from proxyswitch.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    ok: bool
    what: str
    next_step: str = ""


def examine(make_world: Callable[[], World], probe: str = "") -> Iterator[Finding]:
    """Everything, in the order in which a person would ask. `probe` is a URL that nginx answers."""
    yield from _guarded(_state)
    try:
        world = make_world()
    except ProxyswitchError as error:
        yield Finding(False, error.what, error.next_step)
        return
    yield Finding(True, f"settings: {world.settings.path or 'none, and none is needed for single pools'}")
    for name in _names(world):
        yield from _guarded(lambda name=name: PROXIES[name](world))  # type: ignore[misc]
    if probe:
        yield from _guarded(lambda: _probed(world, probe))
    for name in sorted(world.settings.apps):
        yield from _guarded(lambda name=name: _app(world, name))  # type: ignore[misc]
    yield from _told(world.settings)


def _told(settings: Settings) -> Iterator[Finding]:
    """Who is told of releases, and where their figures go."""
    from proxyswitch import metrics, notify

    for problem in (*notify.problems(settings.notify), *metrics.problems(settings.metrics)):
        yield Finding(False, problem.what, problem.next_step)


def _names(world: World) -> list[str]:
    """The proxies to look at: those that are named, or that an app uses; else those that are here."""
    named = {name for name, o in world.options.items() if o.conf or o.socket or o.inside}
    apps = world.settings.apps.values()
    found = sorted(named | {app.proxy for app in apps if app.pool}) or proxies.here()
    return found or ([] if apps else ["nginx"])


def _guarded(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except ProxyswitchError as error:
        yield Finding(False, error.what, error.next_step)


def _state() -> Iterator[Finding]:
    folder = state.sub("journal").parent
    yield Finding(
        os.access(folder, os.W_OK), f"state folder {folder}", "" if os.access(folder, os.W_OK) else "make it writable"
    )
    left = sorted(p.name for p in (folder / "journal").glob("*.jsonl"))
    if left:
        yield Finding(False, f"interrupted runs left {', '.join(left)}", "proxyswitch recover")


def _nginx(world: World) -> Iterator[Finding]:
    from proxyswitch.proxies.nginx import Nginx

    if world.options["nginx"].inside:
        yield from _contained(world)
        return
    binary = nginx_master.find_binary(world.options["nginx"].binary)
    build = nginx_master.build(binary)
    yield Finding(True, f"nginx {_spelt(build.version)} ({binary})")
    proxy = Nginx(world.options["nginx"])
    pools = proxy.pools()
    yield _config(proxy, pools)
    yield from _instant(proxy, pools)
    plain = [p.name for p in pools if not p.instant and p.context == "http"]
    if plain and build.version < CLEAN_RELOAD:
        what = "each switch reloads nginx, and a reload closes kept-alive clients"
        yield Finding(True, what, f"instant mode does neither: proxyswitch adopt {plain[0]} --dry-run shows it")
    if not proxy.running():
        yield Finding(True, "nginx does not run with this config: changes count from its start")
        return
    yield from _reload(proxy, build.version)


def _contained(world: World) -> Iterator[Finding]:
    """An nginx in a container."""
    from proxyswitch.proxies.nginx_container import Contained

    proxy = Contained(world.options["nginx"])
    if proxy.down:
        yield Finding(False, proxy.down.what, proxy.down.next_step)
        return
    version = proxy.build().version
    yield Finding(True, f"nginx {_spelt(version)} in a container ({proxy.box})")
    for inside, here in proxy.paths.pairs:
        alone = "mount its folder instead: then it can be replaced whole" if proxy.paths.alone(here) else ""
        yield Finding(True, f"{here} is {inside} in there{', mounted by itself' if alone else ''}", alone)
    pools = proxy.pools()
    yield _config(proxy, pools)
    yield from _instant(proxy, pools)
    if proxy.running():
        yield from _reload(proxy, version)
    else:
        yield Finding(False, "no nginx is seen to run in the container", "start it; where it runs, run this as root")


def _spelt(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _config(proxy: Proxy, pools: list[Pool]) -> Finding:
    return Finding(True, f"config {proxy.conf}: {len(pools)} {'pool' if len(pools) == 1 else 'pools'}")


def _instant(proxy: Nginx, pools: list[Pool]) -> Iterator[Finding]:
    """Pools in instant mode: can nginx see the flag, and would a switch lose nothing?"""
    for pool in pools:
        found = proxy.instant(pool.name) if pool.instant else None
        if not found:
            continue
        bars = proxy.barred(found.flags)
        wrong = proxy.trouble([pool])
        if bars:
            yield Finding(False, f"pool {pool.name}: {bars}", "or another folder: adopt --undo, then adopt with --flags DIR")
        yield from (Finding(False, f"pool {problem.what}", problem.next_step) for problem in wrong)
        if not bars and not wrong:
            serving = ", ".join(dict.fromkeys(s.slot for s in pool.live))
            yield Finding(True, f"pool {pool.name}: instant mode, {serving} serves; flag folder {found.flags}")


def _probed(world: World, url: str) -> Iterator[Finding]:
    """One real request a pool: nginx itself says what it sees of the flag."""
    from proxyswitch import health
    from proxyswitch.conf.nginx import instant
    from proxyswitch.proxies.nginx import Nginx

    proxy = world.proxy("nginx")
    assert isinstance(proxy, Nginx)  # noqa: S101  # for the type checker
    for found in instant.find(proxy.config()):
        target = f"{url.rstrip('/')}/.proxyswitch/{found.name}.check"
        live = {s.slot for s in proxy.pool(found.name).live}
        wanted = f"{found.name}_{live.pop()}, flag seen" if len(live) == 1 else "flag seen"
        answer = health.probe(replace(health.parse_target(target), body=wanted, insecure=True))
        what = f"pool {found.name}: a request to {target} {'sees the flag' if answer.healthy else 'does not see the flag'}"
        step = "does the URL lead to a server block of that pool? May nginx's user look into the flag folder?"
        yield Finding(answer.healthy, what if answer.healthy else f"{what}: {answer.reason}", "" if answer.healthy else step)


def _reload(proxy: object, version: tuple[int, ...]) -> Iterator[Finding]:
    from proxyswitch.proxies.nginx import Nginx
    from proxyswitch.system import signals

    assert isinstance(proxy, Nginx)  # noqa: S101  # for the type checker
    assert proxy.master is not None  # noqa: S101
    allowed = signals.may_signal(proxy.master.process) or bool(proxy.options.inside)  # in there it can be told too
    yield Finding(allowed, f"nginx runs, pid {proxy.master.process.pid}", "" if allowed else "run as its user, or with sudo")
    for path in proxy.pending():
        yield Finding(False, f"{path} was changed after nginx last loaded it", "nginx -t, then nginx -s reload")
    left = proxy.draining(proxy.leftovers())
    if left:
        yield Finding(True, left.what, "worker_shutdown_timeout in nginx.conf bounds how long they stay")
    if version >= CLEAN_RELOAD and not proxy.says(b"keepalive_min_timeout"):
        yield Finding(True, "a reload closes idle clients at once", "set keepalive_min_timeout 2s; in http to spare them")


def _haproxy(world: World) -> Iterator[Finding]:
    from proxyswitch.proxies import haproxy_find, haproxy_process
    from proxyswitch.proxies.haproxy import Haproxy

    proxy = Haproxy(world.options["haproxy"])
    if proxy.found.names:
        program = haproxy_find.binary(proxy.found, proxy.options)
        yield Finding(True, f"HAProxy {haproxy_process.version(program).text} ({program})")
    pools = proxy.pools()
    yield _config(proxy, pools)
    if not proxy.running():
        yield Finding(True, "HAProxy does not run with this config: changes count from its start")
        return
    yield from _haproxy_socket(proxy)
    for (pool, server), seen in proxy.seen(pools).items():
        for line in seen.differs:
            yield Finding(False, f"{pool}/{server}: {line}", f"proxyswitch reconcile {pool}, or with --by file")


def _haproxy_socket(proxy: Haproxy) -> Iterator[Finding]:
    if proxy.runtime is None:
        add = "add to global: stats socket /run/haproxy/admin.sock mode 600 level admin"
        yield Finding(False, "HAProxy runs without a runtime socket: every change takes a reload", add)
        return
    level = proxy.runtime.level()
    where = proxy.socket or "the master socket"
    step = "" if level == "admin" else "give its stats socket line `level admin`, then reload HAProxy"
    yield Finding(level == "admin", f"HAProxy runs; {where} has level {level}", step)
    if proxy.found.instance and not proxy.master:
        yield Finding(
            True,
            "there is no master socket: after a reload the sessions of old workers cannot be counted",
            "start HAProxy with -W and -S /run/haproxy-master.sock",
        )


def _app(world: World, name: str) -> Iterator[Finding]:
    app = world.app(name)
    if app.pool:
        pool = world.proxy(app.proxy).pool(app.pool)
        yield Finding(True, f"app {name}: pool {pool.name} at {pool.where}")
    driver = world.driver(name)
    yield Finding(True, f"app {name}: {driver.about()}{', replaced in place' if app.in_place else ''}")
    for problem in driver.problems():
        yield Finding(False, f"app {name}: {problem.what}", problem.next_step)


PROXIES: dict[str, Callable[[World], Iterator[Finding]]] = {
    "haproxy": _haproxy,
    "nginx": _nginx,
}
