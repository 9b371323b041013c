"""App runners, by name. To add one: a folder with what satisfies base.Driver or base.InPlace, and a row here."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from typing import Any

from proxyswitch.drivers.base import Context, Driver, InPlace
from proxyswitch.errors import SettingsError

# Those that run a version beside the other. By name, since a command needs one of them and all take time to load.
DRIVERS = {
    "command": "command.driver:Command",
    "compose": "compose.driver:Compose",
    "pm2": "pm2.driver:Pm2",
    "process": "process.driver:Process",
    "systemd": "systemd.driver:Systemd",
}

# Those that replace a running version themselves.
IN_PLACE = {
    "command": "command.driver:Command",
    "compose": "compose.scaled:Scaled",
    "gunicorn": "gunicorn.driver:Gunicorn",
    "pm2": "pm2.driver:Pm2",
    "swarm": "swarm.driver:Swarm",
    "systemd": "systemd.driver:Systemd",
}


def make(context: Context) -> Driver:
    """The driver of an app. Raises SettingsError for a name that is not known."""
    if context.app.in_place:
        return in_place(context)
    driver: Callable[[Context], Driver] = _row(DRIVERS, context)
    return driver(context)


def in_place(context: Context) -> InPlace:
    """The driver of an app that is replaced in place."""
    driver: Callable[[Context], InPlace] = _row(IN_PLACE, context)
    return driver(context)


def _row(rows: dict[str, str], context: Context) -> Any:
    try:
        row = rows[context.app.driver]
    except KeyError:
        known = ", ".join(sorted(rows))
        raise SettingsError(f"apps.{context.name}.driver: unknown driver {context.app.driver!r}; known: {known}") from None
    return pkgutil.resolve_name(f"proxyswitch.drivers.{row}")
