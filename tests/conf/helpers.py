"""Short ways to a config, a pool and an edit, for the tests of conf/."""

from __future__ import annotations

from pathlib import Path

from proxyswitch.conf import text
from proxyswitch.conf.nginx import chain, edits, pools, tree
from proxyswitch.conf.nginx.pools import Upstream
from proxyswitch.model import PoolChange, Server, ServerChange

MAIN = "/conf/nginx.conf"


def words(data: bytes) -> list[list[bytes]]:
    """The words of each directive, in order, blocks flattened."""
    document = tree.parse(data)
    out: list[list[bytes]] = []
    stack = list(reversed(document.directives))
    while stack:
        directive = stack.pop()
        out.append([directive.name, *document.args(directive)])
        stack += reversed(directive.body or [])
    return out


def write(folder: Path, files: dict[str, bytes]) -> str:
    """Write files below a folder; returns the name of its main config."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return str(folder / "nginx.conf")


def loaded(data: bytes) -> chain.Config:
    """A config of one file that exists nowhere."""
    return chain.load(MAIN, chain.Names(lambda _path: data))


def pool(config: chain.Config, name: str, context: str = "http") -> Upstream:
    (found,) = [u for u in pools.upstreams(config) if (u.name, u.context) == (name, context)]
    return found


def first(data: bytes) -> Upstream:
    return pools.upstreams(loaded(data))[0]


def change(*rows: tuple[Server | None, Server | None]) -> PoolChange:
    return PoolChange("app", tuple(ServerChange(before, after) for before, after in rows))


def applied(upstream: Upstream, wanted: PoolChange) -> bytes:
    """The one file that the change edits, after it."""
    (edit,) = edits.edit(upstream, wanted)
    return text.apply(edit.document.data, edit.edits)
