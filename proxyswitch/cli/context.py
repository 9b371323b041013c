"""From the words of a command to the world that it acts on."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proxyswitch.cli import output
from proxyswitch.errors import UsageError
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
    lock_timeout: float | None = None
    quiet: bool = False


def settings_path(given: Given) -> Path | None:
    """The settings file, if there is one."""
    from proxyswitch import settings_file

    return settings_file.find(given.config, os.environ, Path.cwd())


def settings_of(given: Given) -> Settings:
    """The settings; defaults where there is no file."""
    from proxyswitch import settings

    return settings.load(settings_path(given))


def options_of(given: Given) -> Options:
    """Where nginx is, as options and settings say; without a settings file nothing of them is loaded."""
    if settings_path(given) is None:
        return Options(conf=given.nginx_conf)
    nginx = settings_of(given).nginx
    return Options(given.nginx_conf or nginx.conf, nginx.binary, float(nginx.reload_timeout), nginx.max_old_workers)


def proxy_of(given: Given, name: str) -> Proxy:
    """The proxy, to look at it only."""
    from proxyswitch import proxies

    return proxies.make(name, options_of(given))


def world_of(given: Given) -> World:
    """Everything a command acts on."""
    from proxyswitch.cli.progress import Bar
    from proxyswitch.release.world import World, no_tick

    report = output.quiet if given.quiet else output.note
    tick = Bar().tick if sys.stderr.isatty() and not given.quiet else no_tick
    return World(settings_of(given), options_of(given), given.lock_timeout, report, tick)


def split_pool(text: str) -> tuple[str, str]:
    """`nginx:app_backend` → the proxy and the pool; nginx where none is named."""
    proxy, _, pool = text.partition(":")
    if proxy not in PROXIES or not pool:
        return "nginx", text
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
