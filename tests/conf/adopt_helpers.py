"""Short ways into instant mode and back, each judged by real nginx, for the tests of adopt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxyswitch.conf.nginx import adopt, chain
from proxyswitch.conf.nginx.adopt import Adoption, Wish
from proxyswitch.conf.nginx.edits import FileEdit
from proxyswitch.conf.text import apply
from tests.conf.helpers import write
from tests.nginx_check import Nginx

FLAGS = "/srv/flags/app"
BLUE, GREEN = "127.0.0.1:3001", "127.0.0.1:3002"
POOL = f"upstream app {{\n    server {BLUE};\n    server {GREEN} down;\n}}\n"
HEAD = "pid nginx.pid;\nevents {}\nhttp {\naccess_log off;\n"


def site(location: str, pool: str = POOL, server: str = "", http: str = "") -> str:
    """A config with one server and one location."""
    return f"{HEAD}{http}{pool}server {{\n    listen 8080;\n{server}    location / {{\n        {location}\n    }}\n}}\n}}\n"


@dataclass
class Made:
    """An adoption with the config before and after it."""

    before: chain.Config
    after: chain.Config
    adoption: Adoption

    def text(self, name: str = "nginx.conf") -> str:
        """A file after the adoption."""
        (found,) = [d for d in self.after.documents.values() if Path(d.path).name == name]
        return found.data.decode("utf-8", "surrogateescape")

    @property
    def warnings(self) -> str:
        return "\n".join(map(str, self.adoption.warnings))

    def location(self) -> list[str]:
        """The lines of the first location, without the gate."""
        text = self.text()
        body = text[text.index("location / {") :].split("\n")
        return [line.strip() for line in body[2 : body.index("    }")]]


class Adopter:
    """Adopts the pool `app` of a config in a folder; every result must be accepted, verified, and undone exactly."""

    def __init__(self, folder: Path, nginx: Nginx) -> None:
        self.folder = folder
        self.nginx = nginx

    def __call__(self, files: str | dict[str, str | bytes], *, accepted: bool = True, **wish: Any) -> Made:
        before = self.config(files)
        if accepted:
            self.check()
        wanted = wanted_of(**wish)
        adoption = adopt.adopt(before, wanted)
        after = edited(before, adoption.edits)
        adopt.verify(before, after, wanted)
        if accepted:
            for document in after.documents.values():
                Path(document.real).write_bytes(document.data)
            self.check()
        undone = edited(after, adopt.undo(after, adoption.record))
        assert {r: d.data for r, d in undone.documents.items()} == {r: d.data for r, d in before.documents.items()}
        return Made(before, after, adoption)

    def config(self, files: str | dict[str, str | bytes]) -> chain.Config:
        named = {"nginx.conf": files} if isinstance(files, str) else files
        raw = {name: text.encode() if isinstance(text, str) else text for name, text in named.items()}
        return chain.load(write(self.folder, raw))

    def check(self) -> None:
        done = self.nginx.test(self.folder / "nginx.conf")
        assert done.returncode == 0, done.stderr.decode()


def wanted_of(**wish: Any) -> Wish:
    given: dict[str, Any] = {"pool": "app", "blue": (), "green": (), "flags": FLAGS, **wish}
    return Wish(**given)


def edited(config: chain.Config, edits: tuple[FileEdit, ...]) -> chain.Config:
    """The config as the edits leave it."""
    changed = {e.document.real: apply(e.document.data, e.edits) for e in edits}
    return chain.load(config.main, known=config.documents, replaced=changed)
