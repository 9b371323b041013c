"""What PM2 is told of a version in a slot: an order for app.config.cjs; and how the app is to run by it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from proxyswitch.drivers._words import PLACES, facts, fill
from proxyswitch.drivers.pm2.worker import CLUSTER, KILL, LISTEN, Worker, milliseconds
from proxyswitch.errors import UsageError
from proxyswitch.model import Slot
from proxyswitch.settings_pm2 import Pm2

Order = dict[str, object]
# What a preflight must not share with the app.
OWN = ("log_file", "out_file", "error_file", "log", "output", "out", "error", "pid_file", "pid", "cron_restart", "watch")


class Definition(msgspec.Struct, frozen=True):
    """How an app is to run: by its file, by the settings, or as PM2 knows it."""

    script: str = ""
    cwd: str = ""
    exec_mode: str = ""
    instances: object = None
    wait_ready: object = None
    listen_timeout: object = None
    kill_timeout: object = None
    watch: object = None

    @property
    def clustered(self) -> bool:
        return self.exec_mode in ("cluster", CLUSTER) or (not self.exec_mode and self.instances is not None)

    @property
    def waits(self) -> bool:
        return self.wait_ready in (True, "true")

    @property
    def listens_within(self) -> float:
        """Seconds after which PM2 takes a new worker for ready, whatever it says."""
        return milliseconds(self.listen_timeout, LISTEN)

    @property
    def ends_within(self) -> float:
        """Seconds after which PM2 kills an old one."""
        return milliseconds(self.kill_timeout, KILL)


@dataclass(frozen=True, slots=True)
class Orders:
    """Those of one slot."""

    app: str
    settings: Pm2
    slot: Slot

    @property
    def name(self) -> str:
        return fill(self.settings.name, self.slot, "")

    @property
    def by_name(self) -> bool:
        """True where nobody but PM2 knows how the app is started."""
        return not (self.settings.ecosystem or self.settings.script)

    @property
    def link(self) -> str:
        return fill(self.settings.current, self.slot, "")

    def folder(self, version: str) -> str:
        return fill(self.settings.release, self.slot, version)

    @property
    def pattern(self) -> str:
        """The folder of a version, with a NUL for it; empty where versions have none."""
        text = self.settings.release or self.settings.cwd
        return fill(text, self.slot, "\0") if "{version}" in text else ""

    def file(self, version: str) -> str:
        return fill(self.settings.ecosystem, self.slot, version)

    def knows(self, version: str) -> bool:
        """Whether the file can be read: not while its name depends on a version that is not known, or on a first release."""
        text = self.settings.ecosystem
        unknown = "{version}" in text and not version
        later = bool(self.link) and text.startswith(f"{self.settings.current}/") and not os.path.lexists(self.link)
        return not (unknown or later)

    def faults(self, version: str) -> Iterator[UsageError]:
        """What would make a start fail, found without starting anything."""
        if self.settings.ecosystem and self.knows(version) and not os.path.isfile(self.file(version)):
            yield UsageError(f"apps.{self.app}.pm2.ecosystem: there is no file {self.file(version)}")
        folder = self.folder(version) if version else ""
        if folder and not os.path.isdir(folder):
            yield UsageError(f"there is no folder {folder}", next_step="put the release there first, in the hook prepare")

    # orders

    def run(self, version: str, running: Sequence[Worker] = ()) -> Order:
        """To start that version; or to reload to it, where `running` are told to listen."""
        known = facts(self.app, self.slot, version)
        if running:
            known = {key: value for key, value in known.items() if key not in PLACES} | running[0].places
        return self._order(version, self.slot, self._set(), known)

    def preflight(self, version: str, slot: Slot, seconds: float) -> Order:
        """One process beside the app, at an address of its own, in the folder of that version. In fork mode it cannot
        get a share of the app's requests; it is not started again, and its time to get ready is longer than we wait."""
        alone = {
            "name": self.preflight_name,
            "exec_mode": "fork",
            "instances": 1,
            "autorestart": False,
            "merge_logs": True,
            "listen_timeout": int(seconds * 2000) + 60_000,
        }
        through = [self.link, self.folder(version)] if self.link else []
        return {
            **self._order(version, slot, self._set() | alone, facts(self.app, slot, version)),
            "drop": OWN,
            "through": through,
        }

    @property
    def preflight_name(self) -> str:
        return f"{self.name}-preflight"

    def _order(self, version: str, slot: Slot, told: Order, known: dict[str, str]) -> Order:
        env = {key: fill(value, slot, version) for key, value in self.settings.env.items()}
        paths = {key: filled for key in ("script", "cwd") if (filled := fill(getattr(self.settings, key), slot, version))}
        args = {"args": [fill(word, slot, version) for word in self.settings.args]} if self.settings.args else {}
        return {
            "file": self.file(version),
            "app": fill(self.settings.app, slot, version) or self.name,
            "environment": self.settings.environment,
            "known": self.name if self.by_name else "",
            "base": self.link or os.path.dirname(self.file(version)) or os.path.dirname(self.settings.current) or "/",
            "set": {**told, **paths, **args},
            "env": known | env,
        }

    def _set(self) -> Order:
        table = self.settings
        told: Order = {
            "interpreter": table.interpreter,
            "exec_mode": table.exec_mode,
            "instances": table.instances,
            "wait_ready": table.wait_ready,
            "listen_timeout": _ms(table.listen_timeout),
            "kill_timeout": _ms(table.kill_timeout),
        }
        return {"name": self.name, **{key: value for key, value in told.items() if value not in ("", None)}}


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
