"""From the words of a command to the world that it acts on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proxyswitch.cli import output
from proxyswitch.errors import ConfigError, ProxyswitchError, UsageError
from proxyswitch.proxies.base import Options, Proxy

if TYPE_CHECKING:  # imported when a command needs them: they cost time at the start
    from proxyswitch.release.world import World
    from proxyswitch.settings import Settings

PROXIES = ("nginx", "haproxy")


@dataclass(frozen=True, slots=True)
class Given:
    """The shared options as they were given."""

    config: str = ""
    nginx_conf: str = ""
    haproxy_conf: list[str] | None = None
    haproxy_socket: str = ""
    lock_timeout: float | None = None
    quiet: bool = False
    mode: str = ""


def settings_path(given: Given) -> Path | None:
    """The settings file, if there is one."""
    from proxyswitch import settings_file

    return settings_file.find(given.config, os.environ, Path.cwd())


def settings_of(given: Given) -> Settings:
    """The settings; defaults where there is no file."""
    from proxyswitch import settings

    return settings.load(settings_path(given))


def options_of(given: Given) -> dict[str, Options]:
    """Where the proxies are, as options and settings say; without a settings file nothing of them is loaded."""
    first, *more = given.haproxy_conf or [""]
    nginx, haproxy = Options(given.nginx_conf), Options(first, more=tuple(more), socket=given.haproxy_socket)
    if settings_path(given) is None:
        return {"nginx": nginx, "haproxy": haproxy}
    settings = settings_of(given)
    said, theirs = settings.nginx, settings.haproxy
    files = (first, *more) if first else theirs.files
    folder = os.path.dirname(os.path.abspath(settings.path))
    return {
        "nginx": Options(
            nginx.conf or said.conf,
            said.binary,
            float(said.reload_timeout),
            said.max_old_workers,
            inside=said.words,
            cwd=folder,
            paths=tuple((inside, os.path.join(folder, here)) for inside, here in said.paths.items()),
        ),
        "haproxy": Options(
            files[0],
            theirs.binary,
            float(theirs.reload_timeout),
            more=files[1:],
            socket=haproxy.socket or theirs.socket,
        ),
    }


def world_of(given: Given) -> World:
    """Everything a command acts on."""
    from proxyswitch.cli.progress import Bar
    from proxyswitch.release.world import World, no_tick

    report = output.quiet if given.quiet else output.note
    seen = sys.stderr.isatty() and not given.quiet
    detail, tick = (output.note, Bar().tick) if seen else (output.quiet, no_tick)
    return World(settings_of(given), options_of(given), given.lock_timeout, report, detail, tick)


class Proxies:
    """The proxies that a command is about: those that were named, else those that are here. Each is looked for once."""

    def __init__(self, given: Given) -> None:
        self.given = given
        mode = given.mode if given.mode != "auto" else ""
        self.options = {name: o._replace(mode=mode) for name, o in options_of(given).items()}
        self.made: dict[str, Proxy] = {}

    def names(self) -> list[str]:
        """nginx alone where neither is found: it says what is missing."""
        named = [name for name, o in self.options.items() if o.conf or o.socket or o.inside]
        if named:
            return named
        from proxyswitch import proxies

        return proxies.here() or ["nginx"]

    def make(self, name: str) -> Proxy:
        from proxyswitch import proxies

        if name not in self.made:
            self.made[name] = proxies.make(name, self.options[name])
        return self.made[name]

    def of_pool(self, text: str) -> tuple[Proxy, str]:
        """The proxy that has a pool, and the pool's name. Raises UsageError when both have one of that name."""
        named, pool = split_pool(text)
        names = [named] if named else self._of_app(pool) or self.names()
        if len(names) == 1:
            return self.make(names[0]), pool
        errors = {name: self._trouble(name, pool) for name in names}
        found = [name for name, error in errors.items() if error is None]
        if not found:
            raise _nowhere(pool, [error for error in errors.values() if error])
        if len(found) > 1:
            both = " and ".join(found)
            raise UsageError(
                f"{both} both have a pool {pool}", next_step=f"say which: {' or '.join(f'{name}:{pool}' for name in found)}"
            )
        for name, error in errors.items():
            if isinstance(error, ConfigError):  # it may have the pool too
                output.note(f"warning: {name} was left out: {error.what}")
        return self.make(found[0]), pool

    def _of_app(self, pool: str) -> list[str]:
        """The proxy of the app with that pool, as the settings say."""
        if settings_path(self.given) is None or self.given.nginx_conf or self.given.haproxy_conf:
            return []
        apps = settings_of(self.given).apps.values()
        return sorted({a.proxy for a in apps if a.pool == pool})[:1]

    def _trouble(self, name: str, pool: str) -> ProxyswitchError | None:
        """Why a proxy does not have the pool; None when it has it."""
        try:
            self.make(name).pool(pool)
        except ProxyswitchError as error:
            return error
        return None


def _nowhere(pool: str, errors: list[ProxyswitchError]) -> UsageError:
    """Neither proxy has the pool, or can be asked."""
    return UsageError(
        f"no pool {pool!r} is known: {'; '.join(error.what for error in errors)}",
        next_step=next((error.next_step for error in errors if error.next_step), ""),
    )


@contextmanager
def unchanged(pool: str) -> Iterator[None]:
    """What fails in here has changed nothing, and says so with --json."""
    try:
        yield
    except ProxyswitchError as error:
        error.facts = {"changed": False, "pool": pool, **error.facts}
        raise


def world_for(given: Given, pool: str) -> tuple[World, str, str]:
    """The world, with the names of the proxy and of the pool that the words mean."""
    found = Proxies(given)
    with unchanged(pool):
        proxy, name = found.of_pool(pool)
    world = world_of(given)
    world.take(proxy)
    return world, proxy.name, name


def split_pool(text: str) -> tuple[str, str]:
    """`nginx:app_backend` → the proxy and the pool; '' where none is named."""
    proxy, _, pool = text.partition(":")
    if proxy not in PROXIES or not pool:
        return "", text
    return proxy, pool


def split_server(text: str) -> tuple[str, str]:
    """`app_backend/127.0.0.1:3001` → the pool and the server. Raises UsageError."""
    pool, slash, server = text.partition("/")
    if not slash or not pool or not server:
        raise UsageError(f"{text!r} names no server", next_step="write POOL/SERVER, as app_backend/127.0.0.1:3001")
    return pool, server


def split_slot(text: str) -> tuple[str, str]:
    """`web:blue` → the app and the slot; no slot where none is named."""
    app, _, slot = text.partition(":")
    return app, slot
