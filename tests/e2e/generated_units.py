"""Units that `proxyswitch generate` writes in the container with systemd, from the settings that lie there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.systemd_support import START, Units
from tests.runners.systemd import USER, Systemd

# It tries to write where it may not, although everybody has the right to, and where it may.
TRIES = 'touch "{folder}/open/$APP_VERSION" 2>/dev/null; touch "{folder}/uploads/$APP_VERSION"\n'


@dataclass
class Generated(Units):
    """The app `web`, whose versions lie in folders; the unit is made by `generate systemd --app web`."""

    words: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return f"/srv/{self.name}" if self.who == "root" else f"{self.home}/{self.name}"

    @property
    def made(self) -> str:
        return "/etc/systemd/system" if self.who == "root" else f"{self.home}/.config/systemd/user"

    def configure(self, **changes: Any) -> None:
        slots: dict[str, Any] = {
            "current": f"{self.folder}/slots/{{slot}}",
            "release": f"{self.folder}/releases/{{version}}",
        }
        slots |= {"environment_file": f"{self.folder}/env/{{slot}}", "enable": True}
        super().configure(**{**{f"systemd_{key}": value for key, value in slots.items()}, **changes})

    def unit(self, service: str = "", name: str = "") -> None:  # it is generate that knows
        for place in ("open", "uploads", "slots"):
            self.systemd.run("install", "-d", "-m", "777", f"{self.folder}/{place}", user=self.who)
        self.configure()
        self.run("generate", "systemd", "--app", "web", "--command", "bin/server", *self.words, "--write")
        self.systemctl("daemon-reload")

    def put(self, version: str) -> None:
        """Lay a version ready."""
        shebang, rest = START.split("\n", 1)
        tries = TRIES.format(folder=self.folder)
        self.write(f"releases/{version}/bin/server", f"{shebang}\n{tries}{rest}", mode="755")

    def wrote(self, folder: str) -> set[str]:
        return set(self.systemd.run("ls", f"{self.folder}/{folder}", user=self.who).split())


@contextmanager
def generated(systemd: Systemd, name: str, *words: str, who: str = "root") -> Iterator[Generated]:
    """Version 1 is live in slot blue, behind nginx."""
    made = Generated(systemd, name, who, words=words)
    try:
        made.unit()
        made.nginx()
        made.put("1")
        made.run("start", "web:blue", "--version", "1")
        yield made
    finally:
        made.close()


__all__ = ["USER", "Generated", "generated"]
