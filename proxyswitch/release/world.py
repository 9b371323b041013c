"""What the engine acts on: the settings, the proxies and drivers they name, and where it reports to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from proxyswitch import proxies
from proxyswitch.model import Instance
from proxyswitch.polling import silent
from proxyswitch.proxies.base import Left, Options, Proxy
from proxyswitch.system import locks, state

if TYPE_CHECKING:  # their imports cost time that `switch` on one pool need not spend
    from contextlib import AbstractContextManager

    from proxyswitch.drivers.base import Context, Driver, InPlace
    from proxyswitch.release.judging import View
    from proxyswitch.settings import App, Settings

# Waited so far and at most, in seconds, and what for.
Tick = Callable[[float, float, Left], None]
# What has happened, in a word, and its facts.
Event = Callable[[str, Mapping[str, object]], None]
PROXY_LOCK_TIMEOUT = 10.0


def no_show(_view: View) -> None:
    """A watch that nobody sees."""


def no_event(_kind: str, _facts: Mapping[str, object]) -> None:
    """An event that nobody hears."""


def no_tick(_waited: float, _limit: float, _left: Left) -> None:
    """A tick that nobody sees."""


@dataclass(slots=True)
class World:
    """One command's view. `options` are keyed by the proxy's name.

    `lock_timeout` in seconds; None waits shortly for a proxy and not at all for an app. `report` gets what a person should
    know in any case, `detail` what only somebody who looks on wants to: which step begins."""

    settings: Settings
    options: Mapping[str, Options] = field(default_factory=dict)
    lock_timeout: float | None = None
    report: Callable[[str], None] = silent
    detail: Callable[[str], None] = silent
    tick: Tick = no_tick
    show: Callable[[View], None] = no_show
    event: Event = no_event
    _proxies: dict[str, Proxy] = field(default_factory=dict)
    _apps: dict[str, App] = field(default_factory=dict)

    def proxy(self, name: str = "nginx") -> Proxy:
        """The proxy of that name, looked for once."""
        if name not in self._proxies:
            self._proxies[name] = proxies.make(name, self.options.get(name, Options()))
        return self._proxies[name]

    def take(self, proxy: Proxy) -> None:
        """One that has been found already."""
        self._proxies[proxy.name] = proxy

    def driver(self, app: str) -> Driver:
        """The driver of an app. Its folder is made by the first start: who only looks leaves no trace."""
        from proxyswitch import drivers

        return drivers.make(self._context(app))

    def in_place(self, app: str) -> InPlace:
        """The driver of an app that its runner replaces itself."""
        from proxyswitch import drivers

        return drivers.in_place(self._context(app))

    def _context(self, app: str) -> Context:
        from proxyswitch.drivers.base import Context

        return Context(app, self.app(app), state.folder() / "apps" / app, self.report)

    def app(self, name: str) -> App:
        """The app of that name, as it is released now. Raises SettingsError."""
        return self._apps.get(name) or self.settings.app(name)

    def take_app(self, name: str, app: App) -> None:
        """From now on that app is so: a release may say some of it otherwise than the settings."""
        self._apps[name] = app

    def instances(self, app: str) -> dict[str, Instance | None]:
        """What runs in each slot of an app."""
        driver = self.driver(app)
        return {slot.name: driver.status(slot) for slot in self.app(app).places}

    @property
    def proxy_timeout(self) -> float:
        return PROXY_LOCK_TIMEOUT if self.lock_timeout is None else self.lock_timeout

    def lock_app(self, name: str) -> AbstractContextManager[None]:
        """The lock of an app: one release at a time. Raises Busy."""
        path: Path = state.sub("locks") / f"app-{name}.lock"
        return locks.hold(path, f"the app {name}", self.lock_timeout or 0.0)
