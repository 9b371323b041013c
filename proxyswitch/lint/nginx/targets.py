"""Where each pass can lead, its variables put in: to which upstreams, and to which hosts."""

from __future__ import annotations

import re
from typing import NamedTuple

from proxyswitch.lint.nginx import passes
from proxyswitch.lint.nginx.tree import Config, Item, Upstream, context_of
from proxyswitch.lint.nginx.variables import ANY, Variables, has_code

# Blocks in which nothing is passed on. What hides in `main` is no second http or stream: nginx refuses that.
_NO_SERVERS = (b"main", b"upstream", b"types", b"map", b"geo", b"split_clients")


class Target(NamedTuple):
    """One way in which a pass can go. In `host` ANY stands for what only a request knows."""

    item: Item
    host: str
    port: str

    @property
    def known(self) -> bool:
        return ANY not in self.host and bool(self.host)

    def pattern(self) -> str:
        """A regular expression of the hosts that it can be."""
        return ".*".join(map(re.escape, self.host.split(ANY)))


def all_of(config: Config) -> list[Target]:
    """Those of all passes, of modules that we do not know too."""
    return config.once(_all_of)


def _all_of(config: Config) -> list[Target]:
    names = sorted(name for name in config.names() if name.endswith(b"_pass"))
    items = (item for item in config.uses(*names) if len(item.directive.words) > 1)
    return [target for item in items for target in of(config, item)]


def of(config: Config, item: Item, text: str = "") -> list[Target]:
    """The targets of one pass, or of what it could say as well; a text without a host has none."""
    texts = config.once(Variables).texts(text or item.args[0], item.block)
    found = (passes.TARGET.fullmatch(text) for text in texts)
    return [Target(item, match["host"].lower(), match["port"] or "") for match in found if match]


class Reach(NamedTuple):
    """What the passes of a context can lead to: hosts in lower case, and a regular expression of more of them."""

    hosts: set[str]
    pattern: re.Pattern[str] | None

    def has(self, upstream: Upstream) -> bool:
        name = upstream.name.lower()
        return name in self.hosts or bool(self.pattern and self.pattern.fullmatch(name))


def reach(config: Config, context: str) -> Reach:
    mine = [target for target in all_of(config) if context_of(target.item.block) == context]
    patterns = {target.pattern() for target in mine if not target.known}
    return Reach({target.host for target in mine}, re.compile("|".join(sorted(patterns)), re.S) if patterns else None)


def unused(config: Config) -> list[Upstream]:
    """The upstreams that certainly no pass leads to."""
    return config.once(_unused)


def _unused(config: Config) -> list[Upstream]:
    if not config.whole or has_code(config):
        return []
    hidden = {context_of(block) for block in config.all_blocks() if block.hidden and block.name not in _NO_SERVERS}
    known = {context: reach(config, context) for context in ("http", "stream") if context not in hidden}
    return [u for u in config.upstreams if u.context in known and not known[u.context].has(u)]
