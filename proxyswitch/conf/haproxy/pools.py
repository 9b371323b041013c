"""The pools of an HAProxy config: `backend` and `listen` sections with their servers, and what they inherit.

A section inherits from the `defaults` section that stands last before it, or from the one that `from NAME` names
(configuration manual, section 4, "Proxies").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from proxyswitch.conf.haproxy.config import Config
from proxyswitch.conf.haproxy.document import Document, Line, Section
from proxyswitch.conf.haproxy.servers import Defaults, ServerLine, merged, server_lines
from proxyswitch.model import Pool, Where

PROXIES = (b"backend", b"listen", b"frontend")
POOLS = (b"backend", b"listen")
_SERVERS = (b"server", b"server-template")
# Lines that keep a client on its server; the first word of `stick` decides which (`store-*` alone keeps nobody).
_STICKS = ("on", "match")


@dataclass(slots=True)
class Inherited:
    """What a section takes from its defaults."""

    mode: str = "tcp"
    balance: str = ""
    servers: Defaults = field(default_factory=Defaults)
    lines: tuple[tuple[Document, Line], ...] = ()


class Backend(NamedTuple):
    """A pool with its server lines. `context` is its mode; `own` are its lines with those that it inherits, in order."""

    name: str
    kind: str
    context: str
    document: Document
    section: Section
    lines: tuple[ServerLine, ...]
    balancer: str
    own: tuple[tuple[Document, Line], ...]
    defaults: Defaults  # for a server line at its end

    @property
    def where(self) -> Where:
        return self.document.where(self.section.head)

    @property
    def sure(self) -> bool:
        """False where a server line depends on a condition that cannot be known here."""
        return all(row.line.sure for row in self.lines)

    def pool(self) -> Pool:
        servers = tuple(row.server for row in self.lines)
        return Pool(self.name, "haproxy", self.context, servers, self.where, self.balancer)

    def said(self, *keywords: bytes) -> list[list[str]]:
        """The words of each line with one of these keywords, inherited ones first."""
        return [doc.text(line) for doc, line in self.own if line.keyword in keywords]

    def option(self, name: str) -> list[str] | None:
        """The words of `option NAME …`; None where it is not in effect."""
        found: list[str] | None = None
        for words in self.said(b"option", b"no"):
            if words[:2] == ["option", name]:
                found = words
            elif words[:3] == ["no", "option", name]:
                found = None
        return found

    def keeps(self) -> str:
        """What keeps clients on their server even while it drains; nothing gives ''.

        Persistence outlives a drain: management guide, section 9.3, `set server … state drain`.
        """
        cookies = [w for w in self.said(b"cookie") if len(w) > 1]
        if cookies and self.context == "http":
            return f"the cookie {cookies[-1][1]}"
        if any(len(w) > 1 and w[1] in _STICKS for w in self.said(b"stick")):
            return "a stick table"
        if (
            self.said(b"appsession")
            or self.option("rdp-cookie")
            or any(w[1:2] == ["rdp-cookie"] for w in self.said(b"persist"))
        ):
            return "the RDP cookie"
        return ""


def backends(config: Config, name: str = "") -> list[Backend]:
    """All pools that have servers, or those of one name, in order. A `listen` without servers is none; a `backend` is."""
    if "" not in config.cache:
        config.cache[""] = _backends(config)
    found: list[Backend] = config.cache[""]
    return [b for b in found if b.name == name] if name else list(found)


def inheriting(config: Config) -> Iterator[tuple[Document, Section, Inherited]]:
    """Every section with a name that takes something from a defaults section, and what it takes."""
    latest = Inherited()
    named: dict[str, Inherited] = {}
    for document, section in config.sections(b"defaults", *PROXIES):
        words = document.text(section.head)
        parent = _parent(words, named)
        if section.keyword == b"defaults":
            latest = _settled(document, section, parent or Inherited())
            if len(words) > 1 and words[1] != "from":
                named[words[1]] = latest
        elif len(words) > 1:
            yield document, section, parent or latest


def _backends(config: Config) -> list[Backend]:
    found: list[Backend] = []
    for document, section, parent in inheriting(config):
        if section.keyword in POOLS:
            found += _backend(document, section, document.argument(section.head), parent)
    return found


def _parent(words: list[str], named: dict[str, Inherited]) -> Inherited | None:
    """The defaults that it names; only those need no name, and a pool may be called `from`."""
    places = (1, 2) if words[0] == "defaults" else (2,)
    return next((named.get(words[at + 1]) for at in places if words[at : at + 1] == ["from"] and len(words) > at + 1), None)


def _settled(document: Document, section: Section, parent: Inherited) -> Inherited:
    """What holds at the end of a defaults section."""
    mode, balance, servers = parent.mode, parent.balance, parent.servers
    for line in section.lines:
        if line.keyword == b"default-server":
            servers = merged(servers, document.text(line)[1:])
        elif line.keyword == b"mode":
            mode = document.argument(line)
        elif line.keyword == b"balance":
            balance = document.argument(line)
    own = (*parent.lines, *((document, line) for line in section.lines))
    return Inherited(mode, balance, servers, own)


def _backend(document: Document, section: Section, name: str, parent: Inherited) -> list[Backend]:
    mode, balance, defaults = parent.mode, parent.balance, parent.servers
    lines: list[ServerLine] = []
    rest: list[tuple[Document, Line]] = []
    for line in section.lines:
        if line.keyword in _SERVERS:
            lines += server_lines(document, line, defaults)
            continue
        rest.append((document, line))
        if line.keyword == b"default-server":  # it holds for the servers behind it
            defaults = merged(defaults, document.text(line)[1:])
        elif line.keyword == b"mode":
            mode = document.argument(line)
        elif line.keyword == b"balance":
            balance = document.argument(line)
    if section.keyword == b"listen" and not lines:
        return []
    kind = section.keyword.decode()
    return [Backend(name, kind, mode, document, section, tuple(lines), balance, (*parent.lines, *rest), defaults)]
