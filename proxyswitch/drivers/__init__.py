"""App runners, by name. To add one: a module that satisfies base.Driver, and a row here."""

from __future__ import annotations

from proxyswitch.drivers import process
from proxyswitch.drivers.base import Context, Driver
from proxyswitch.errors import SettingsError

DRIVERS: dict[str, type[Driver]] = {
    "process": process.Process,
}


def make(context: Context) -> Driver:
    """The driver of an app. Raises SettingsError for a name that is not known."""
    try:
        return DRIVERS[context.app.driver](context)
    except KeyError:
        known = ", ".join(sorted(DRIVERS))
        raise SettingsError(f"apps.{context.name}.driver: unknown driver {context.app.driver!r}; known: {known}") from None
