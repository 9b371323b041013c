"""Where requests are passed on that are, or look like, websockets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from proxyswitch.lint.nginx import headers
from proxyswitch.lint.nginx.tree import Block, Config, Item

_SEGMENTS = frozenset({"socket.io", "websocket", "websockets", "ws", "wss"})
_TIME = re.compile(r"(\d+)(ms|[smhdwMy]?)")
_SECONDS = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}


class Websocket(NamedTuple):
    """A proxy_pass for websockets. `item` is what says that it is one: the Upgrade header, or the pass itself."""

    item: Item
    block: Block
    upgrade: bool
    connection: bool

    def missing(self) -> list[str]:
        """The lines that are not there, as one would write them."""
        found = [] if self.upgrade else ["proxy_set_header Upgrade $http_upgrade"]
        found += [] if self.connection else ['proxy_set_header Connection "upgrade"']
        version = self.block.effective(b"proxy_http_version")
        old = version[0].args != ["1.1"] if version else self.block.sure(b"proxy_http_version")
        if old:
            found.append("proxy_http_version 1.1")
        return found

    def read_timeout(self) -> float | None:
        """The seconds of proxy_read_timeout; None where it is not known."""
        found = self.block.effective(b"proxy_read_timeout")
        if found:
            return seconds(next(iter(found[0].args), ""))
        return 60 if self.block.sure(b"proxy_read_timeout") else None


def all_of(config: Config) -> Iterator[Websocket]:
    """Each once for a block."""
    for item in config.uses(b"proxy_pass"):
        found = _read(item) if item.block.name in (b"location", b"if") and _known(item.block) else None
        if found:
            yield found


def _known(block: Block) -> bool:
    """Whether all headers are known that are in effect in a block."""
    level = headers.level(block, b"proxy_set_header")
    return not level.hidden if level else block.sure(b"proxy_set_header")


def _read(item: Item) -> Websocket | None:
    sent = headers.effective(item.block, b"proxy_set_header")
    upgrade, connection = sent.get("upgrade"), sent.get("connection")
    values = [header.args[1].lower() if header else "" for header in (upgrade, connection)]
    switches = "upgrade" in values[1] or "$" in values[1]
    if values[0] and upgrade:
        return Websocket(upgrade, item.block, True, switches)
    if values[1] == "upgrade" and connection:
        return Websocket(connection, item.block, False, True)
    return Websocket(item, item.block, False, switches) if _named(item.block) else None


def _named(block: Block) -> bool:
    """Whether the path of the location says so, in a whole segment of it."""
    location = block.inside(b"location")
    args = location.args if location else []
    regex = len(args) > 1 and args[0].startswith("~")
    return bool(args) and not regex and not _SEGMENTS.isdisjoint(args[-1].lower().split("/"))


def seconds(text: str) -> float | None:
    """A time of nginx, such as `1h 30m` or `90`; None for what is none."""
    parts = _TIME.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)
