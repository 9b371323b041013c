"""The table of the PM2 driver."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, field

from proxyswitch.settings_base import Local, Runner, Seconds, local, seconds

MODES = ("", "fork", "cluster")


class Pm2(Runner, frozen=True):
    """The PM2 driver: the app is a name in PM2, or one a slot."""

    name: str
    ecosystem: Local = local()
    app: str = ""
    environment: str = ""
    script: str = ""
    args: list[str] = field(default_factory=list)
    interpreter: str = ""
    cwd: Local = local()
    current: Local = local()
    release: Local = local()
    env: dict[str, str] = field(default_factory=dict)
    exec_mode: str = ""
    instances: Annotated[int, Meta(ge=1)] | None = None
    wait_ready: bool | None = None
    listen_timeout: Seconds | None = None
    kill_timeout: Seconds | None = None
    preflight: bool = True
    allow_gap: bool = False
    save: bool = False
    home: Local = local()
    user: str = ""
    program: str = "pm2"
    start_timeout: Seconds = seconds(60)

    def problems(self, slots: tuple[str, ...]) -> Iterator[str]:
        if not re.fullmatch(r"(?!\d+$)(?:[\w.-]|\{slot\}|\{port\})+", self.name):
            yield f"name: {self.name!r} is no name of an app, as web or web-{{slot}}"
        elif self.name == "all":
            yield "name: PM2 means every app by it"
        yield from self._shared(slots)
        yield from self._source()
        if self.exec_mode not in MODES:
            yield f"exec_mode: {self.exec_mode!r} is not known; known: fork, cluster"
        if bool(self.current) != bool(self.release):
            yield "current: the link, and release, the folder that it leads to, go together"
        elif self.release and self.release.count("{version}") != 1:
            yield "release: must contain {version} once: each version has a folder of its own"

    def _shared(self, slots: tuple[str, ...]) -> Iterator[str]:
        for key in ("name", "current"):
            text: str = getattr(self, key)
            if "{version}" in text:
                yield f"{key}: must not contain {{version}}: it is the same for all versions"
            if text and len(slots) > 1 and "{slot}" not in text and "{port}" not in text:
                yield f"{key}: must contain {{slot}}: the app has {len(slots)} slots, and each needs its own"
        for key in ("cwd", "script"):
            if len(slots) == 1 and "{version}" in getattr(self, key):
                yield f"{key}: PM2 keeps it over a reload: name the release by the link `current`, not by {{version}}"

    def _source(self) -> Iterator[str]:
        if self.ecosystem and self.script:
            yield "script: the file of ecosystem names it already: remove one of the two"
        if self.ecosystem and not re.search(r"\.(json|ya?ml|config\.(js|cjs|mjs))$", self.ecosystem):
            yield "ecosystem: PM2 reads files whose names end in .config.js, .config.cjs, .json or .yml"
        for key in ("app", "environment"):
            if getattr(self, key) and not self.ecosystem:
                yield f"{key}: belongs to a file: name it in ecosystem"
        for key in ("args", "interpreter"):
            if getattr(self, key) and not self.script:
                yield f"{key}: belongs to script"
