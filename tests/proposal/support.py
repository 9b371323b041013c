"""What was seen, made up; and what of a proposal must always be so."""

from __future__ import annotations

import tomllib
from typing import Any

from proxyswitch import settings
from proxyswitch.model import Endpoint, Pool, Server, Where
from proxyswitch.proposal import checked, match
from proxyswitch.proposal.proposed import Proposed
from proxyswitch.proposal.seen import Asked, Listener, ProxySeen, Seen

CONF = "/srv/nginx.conf"
FLASK = ("/usr/bin/env", "flask", "run", "--port", "3001")


def server(address: str, line: int = 2, **values: Any) -> Server:
    return Server(address, where=Where(CONF, line), **values)


def pool(name: str, *servers: Server, proxy: str = "nginx", context: str = "http") -> Pool:
    return Pool(name, proxy, context, servers, Where(CONF, 1))


def seen(*pools: Pool, **values: Any) -> Seen:
    proxies = tuple(ProxySeen(name, (), pools=tuple(p for p in pools if p.proxy == name)) for name in ("nginx", "haproxy"))
    return Seen(proxies, **values)


def at(address: str) -> Endpoint:
    return Endpoint.parse(address)


def listener(address: str = "127.0.0.1:3001", **values: Any) -> Listener:
    known: dict[str, Any] = {"pid": 70, "title": "env flask", "words": FLASK, "cwd": "/srv/web"} | values
    return Listener(at(address), **known)


def answers(address: str = "127.0.0.1:3001", path: str = "/health") -> dict[Endpoint, tuple[Asked, ...]]:
    return {at(address): (Asked(path, 200, True, "status 200"),)}


def proposed(world: Seen) -> list[Proposed]:
    return checked.checked(match.apps(world))


def uncommented(text: str) -> str:
    """What the file becomes when a person takes every app that was left out: below a "## " a "# " less on each line."""
    lines: list[str] = []
    inside = False
    for line in text.split("\n"):
        inside = bool(line) and (inside or line.startswith("## "))
        lines.append(line.removeprefix("#").removeprefix(" ") if inside and not line.startswith("## ") else line)
    return "\n".join(lines)


def tree(world: Seen) -> dict[str, Any]:
    """The file as TOML; it must be valid, for TOML and for our settings."""
    text = checked.whole(world, proposed(world))
    settings.parse(text.encode(), "proxyswitch.toml")
    return tomllib.loads(text)


def only(world: Seen) -> Proposed:
    (app,) = proposed(world)
    return app


def app_of(world: Seen, name: str = "app") -> dict[str, Any]:
    found: dict[str, Any] = tree(world)["apps"][name]
    return found
