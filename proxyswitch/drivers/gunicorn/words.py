"""What a gunicorn is started, checked and told with: values, made from the settings of one slot."""

from __future__ import annotations

import os
import pwd
import re
from dataclasses import dataclass

from proxyswitch.drivers._launch import Launch
from proxyswitch.drivers._words import facts, fill
from proxyswitch.model import Slot
from proxyswitch.settings_base import Local
from proxyswitch.settings_runners import Gunicorn, Process
from proxyswitch.system import run


@dataclass(frozen=True, slots=True)
class Words:
    """Those of one slot. A `folder` is that of a release: what the link `current` points to, or is to point to."""

    app: str
    settings: Gunicorn
    slot: Slot
    pidfile: str

    def target(self, version: str) -> str:
        """What the link is to hold for that version, as the person writes it."""
        return fill(self.settings.release, self.slot, version)

    def folder(self, target: str) -> str:
        """The folder that a link with that text leads to."""
        return os.path.normpath(os.path.join(os.path.dirname(self.settings.current), target))

    def version(self, target: str) -> str:
        """Which version a link with that text means; empty where it means none."""
        text = fill(self.settings.release, self.slot, "\0")
        before, _, after = (re.escape(part) for part in self.folder(text).partition("\0"))
        found = re.fullmatch(f"{before}([^/]+){after}", self.folder(target)) if target else None
        return found[1] if found else ""

    def version_at(self, path: str) -> str:
        """The version in whose folder a real path lies; empty where it lies in none that we know."""
        top, _, rest = self.folder(fill(self.settings.release, self.slot, "\0")).partition("\0")
        folder, name = os.path.split(top)
        before = os.path.join(os.path.realpath(folder), name)
        found = re.match(f"{re.escape(before)}([^/]+?){re.escape(rest)}(?:/|$)", path)
        return found[1] if found else ""

    def start(self, marker: str, log: str) -> run.Detached:
        """The first start. WINCH is for daemons only, and so are the rest of the words: they win over a config file."""
        launch = self.launch()
        argv = (*launch.argv(), "--daemon", "--enable-stdio-inheritance", "--pid", self.pidfile)
        return run.Detached(argv, self._master_environment(marker), log, launch.cwd(), self.settings.user or None)

    def check(self, folder: str, version: str, timeout: float) -> run.Command:
        """Load config and app of that folder, and end; the link is not touched, nor anything that runs."""
        launch = self.launch(folder)
        env = self._environment(version) | {"PWD": launch.cwd()}
        return run.Command((*self._as_user(), *launch.argv(), "--check-config"), timeout, launch.cwd(), env)

    def about(self) -> run.Command:
        launch = self.launch()
        return run.Command((*launch.argv(), "--version"), 20.0, launch.cwd())

    def launch(self, folder: str = "", version: str | None = "") -> Launch:
        """The start through the link; or in that folder, as if the link led there."""
        cwd, env = self.settings.cwd or self.settings.current, self.settings.env
        settings = Process(
            command=[self._through(word, folder) for word in self.settings.command],
            cwd=Local(self._through(cwd, folder)),
            user=self.settings.user,
            env={key: self._through(value, folder) for key, value in env.items()},
        )
        return Launch(self.app, settings, self.slot, version, "gunicorn")

    def _through(self, word: str, folder: str) -> str:
        if not folder:
            return word
        return re.sub(rf"(?<![^=:]){re.escape(self.settings.current)}(?=[/:]|$)", lambda _: folder, word)

    def _master_environment(self, marker: str) -> dict[str, str]:
        """A master keeps its environment for life, its successors too: no version may be in it."""
        launch = self.launch()
        env = launch.environment(marker) | {"PWD": launch.cwd()}
        env.pop("APP_VERSION")
        return env

    def _environment(self, version: str) -> dict[str, str]:
        """What a release has in its environment: the version only where the file that gunicorn reads brings it."""
        env = {key: fill(value, self.slot, version) for key, value in self.settings.env.items()}
        known = facts(self.app, self.slot, version)
        if not self.settings.env_file:
            known.pop("APP_VERSION")
        return known | env

    def env_file(self, version: str) -> str:
        """The text of that file."""
        return "".join(f"{key}={value}\n" for key, value in self._environment(version).items())

    def _as_user(self) -> tuple[str, ...]:
        user = self.settings.user
        if not user or os.geteuid() != 0 or pwd.getpwnam(user).pw_uid == 0:
            return ()
        return ("runuser", "-u", user, "--")

    @property
    def fixed_interpreter(self) -> bool:
        """True where a script below the link is started: its first line names the interpreter of one release for good."""
        first = os.path.join(self.launch().cwd(), self.settings.command[0]) if "/" in self.settings.command[0] else ""
        below = first.startswith(self.settings.current + "/")
        return below and not os.path.basename(first).startswith("python")
