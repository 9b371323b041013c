"""A config of HAProxy as its sections, each with what it inherits.

A rule asks it: which proxies there are, what is in effect in one, where a line stands. What cannot be known says so: `whole`
is False for a file that is only a part of a config, and `sure` for lines that depend on a condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from proxyswitch.conf.haproxy import config as conf
from proxyswitch.conf.haproxy.document import Document, Line, Section
from proxyswitch.conf.haproxy.pools import Inherited, backends, inheriting
from proxyswitch.conf.haproxy.servers import ServerLine
from proxyswitch.conf.text import Edit
from proxyswitch.errors import ConfigError
from proxyswitch.lint.finding import Found
from proxyswitch.lint.haproxy.effective import effective
from proxyswitch.model import Server

T = TypeVar("T")
SERVERS = (b"server", b"server-template")


class Row(NamedTuple):
    """A line that says something."""

    document: Document
    line: Line

    @property
    def words(self) -> list[str]:
        """The keyword and its arguments, without quotes and escapes."""
        return self.document.text(self.line)

    @property
    def keyword(self) -> bytes:
        return self.line.keyword

    @property
    def sure(self) -> bool:
        """False where it depends on an `.if` that cannot be known here."""
        return self.line.sure

    def at(self, word: int) -> int:
        """The offset of a word, the keyword being number 0; of the line where it has no such word."""
        words = self.document.words(self.line) if word else []
        return words[word].start if word < len(words) else self.line.start

    def found(self, message: str, *fixes: Edit, word: int = 0) -> Found:
        """This line breaks a rule, at that word of it."""
        return Found(self.document, self.at(word), message, fixes)


class ProxyServer(NamedTuple):
    """A server line of a proxy, with what `default-server` adds to it.

    `server` are name, address, weight, `down` (disabled) and `backup` as they are in effect, `said` its other keywords.
    """

    row: Row
    line: ServerLine
    server: Server
    said: Mapping[str, str]

    @property
    def params(self) -> list[str]:
        """All its other keywords with their arguments, those of `default-server` first."""
        return [*self.line.defaults.params, *self.line.server.params]


@dataclass(frozen=True)
class Above:
    """The lines that proxies have of one defaults section. There may be many of them: what they ask is kept."""

    rows: tuple[Row, ...]
    asked: dict[tuple[bytes, ...], list[Row]] = field(default_factory=dict)

    def said(self, *keywords: bytes) -> list[Row]:
        if keywords not in self.asked:
            self.asked[keywords] = [row for row in self.rows if row.keyword in keywords]
        return self.asked[keywords]

    @cached_property
    def options(self) -> Mapping[str, Row]:
        return _options({}, self.said(b"option", b"no"))

    @cached_property
    def sure(self) -> bool:
        return all(row.sure for row in self.rows)


@dataclass(frozen=True)
class Proxy:
    """A frontend, backend or listen section. `rows` are its own lines without servers, `above` those of its defaults.

    `unread` are its server lines that make no server: something is missing in them, or is a variable that has no value here.
    """

    kind: str
    name: str
    head: Row
    mode: str
    rows: tuple[Row, ...]
    above: Above
    servers: tuple[ProxyServer, ...]
    unread: tuple[Row, ...] = ()

    @property
    def takes(self) -> bool:
        """Whether clients connect to it."""
        return self.kind in ("frontend", "listen")

    @property
    def sends(self) -> bool:
        """Whether it has servers, or should."""
        return self.kind in ("backend", "listen")

    def own(self, *keywords: bytes) -> list[Row]:
        """Its own lines with one of these keywords."""
        return [row for row in self.rows if row.keyword in keywords]

    def said(self, *keywords: bytes) -> list[Row]:
        """The lines with one of these keywords that are in effect here, inherited ones first; the last counts, or all do."""
        return [*self.above.said(*keywords), *self.own(*keywords)]

    def option(self, name: str) -> Row | None:
        """The line `option NAME …` that is in effect; None where none is, or where `no option NAME` is."""
        return self.options.get(name)

    @cached_property
    def lines(self) -> Sequence[ProxyServer]:
        """Its servers, one a line: of a template the first."""
        if not any(server.line.template for server in self.servers):
            return self.servers
        before = (None, *(server.line.line for server in self.servers))
        return [server for server, line in zip(self.servers, before, strict=False) if server.line.line is not line]

    @cached_property
    def on(self) -> list[ProxyServer]:
        """Its servers that are not disabled."""
        return [server for server in self.servers if not server.server.down]

    @property
    def may_have_more(self) -> bool:
        """Whether it may have servers that cannot be known here."""
        return any(b"$" in row.document.data[row.line.start : row.line.end] for row in self.unread)

    @cached_property
    def names(self) -> frozenset[str]:
        """Of its servers."""
        return frozenset(server.server.name for server in self.servers)

    @cached_property
    def options(self) -> Mapping[str, Row]:
        """The lines `option NAME …` that are in effect, by name."""
        own = self.own(b"option", b"no")
        return _options(self.above.options, own) if own else self.above.options

    @cached_property
    def sure(self) -> bool:
        """False where something in it, or what it inherits, depends on an `.if` that cannot be known here."""
        own = self.head.sure and all(row.line.sure for row in self.rows)
        return own and self.above.sure and all(server.line.line.sure for server in self.servers)

    @property
    def off(self) -> bool:
        """Whether HAProxy leaves it out: `disabled`."""
        return [row.keyword for row in self.said(b"disabled", b"enabled")][-1:] == [b"disabled"]


def _options(inherited: Mapping[str, Row], rows: Iterable[Row]) -> Mapping[str, Row]:
    found = dict(inherited)
    for row in rows:
        match row.words:
            case ["option", name, *_]:
                found[name] = row
            case ["no", "option", name, *_]:
                found.pop(name, None)
    return found


@dataclass
class Config:
    """What is judged at once: the files of one config, or a part of one. `broken` are faults of syntax."""

    conf: conf.Config
    whole: bool = True
    broken: list[tuple[Document, ConfigError]] = field(default_factory=list)

    _known: dict[Any, Any] = field(default_factory=dict)

    def once(self, look: Callable[[Config], T]) -> T:
        """What a function says of this config, which is asked only once."""
        if look not in self._known:
            self._known[look] = look(self)
        found: T = self._known[look]
        return found

    @property
    def documents(self) -> list[Document]:
        return [*self.conf.documents, *(document for document, _ in self.broken)]

    def sections(self, *keywords: bytes) -> Iterator[tuple[Row, list[Row]]]:
        """The head of each section of these kinds, of all where none is named, and its lines."""
        return ((head, rows) for head, rows in self._sections if not keywords or head.keyword in keywords)

    @cached_property
    def _sections(self) -> list[tuple[Row, list[Row]]]:
        return [
            (Row(document, section.head), [Row(document, line) for line in section.lines])
            for document, section in self.conf.sections()
        ]

    def rows(self, keyword: bytes, *kinds: bytes) -> list[Row]:
        """The lines with that keyword in sections of these kinds."""
        return [Row(document, line) for document, line in self.conf.lines(keyword, *kinds)]

    @cached_property
    def proxies(self) -> list[Proxy]:
        """All of them, in order. A section without a name is another rule's."""
        servers = {id(backend.section): backend.lines for backend in backends(self.conf)}
        above: dict[int, tuple[Inherited, Above]] = {}
        found: list[Proxy] = []
        for document, section, parent in inheriting(self.conf):
            if id(parent) not in above:
                above[id(parent)] = parent, Above(tuple(Row(*place) for place in parent.lines))
            found.append(_proxy(document, section, parent.mode, above[id(parent)][1], servers.get(id(section), ())))
        return found

    @property
    def pools(self) -> list[Proxy]:
        """The backends, and the listens that have servers."""
        return [proxy for proxy in self.proxies if proxy.kind == "backend" or proxy.servers]

    @cached_property
    def said(self) -> dict[int, Mapping[str, str]]:
        """What is in effect for all the servers, once each, by its id: the same words stand behind many."""
        return {id(server.said): server.said for proxy in self.proxies for server in proxy.servers}

    @cached_property
    def judged(self) -> list[Proxy]:
        """The proxies that HAProxy starts, with servers that are all known, and with nothing that depends on what cannot be
        known here."""
        unsure = any(b".if" in document.data for document in self.conf.documents)
        sure = [proxy for proxy in self.proxies if proxy.sure] if unsure else self.proxies
        return [proxy for proxy in sure if proxy.servers and not proxy.off and not proxy.may_have_more]

    def pool(self, name: str) -> Proxy | None:
        """The backend or listen of that name."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, Proxy]:
        return {proxy.name: proxy for proxy in reversed(self.proxies) if proxy.sends}


def _proxy(document: Document, section: Section, mode: str, above: Above, servers: Sequence[ServerLine]) -> Proxy:
    rows = tuple(Row(document, line) for line in section.lines if line.keyword not in SERVERS)
    modes = [row.words[1] for row in rows if row.keyword == b"mode" and len(row.words) > 1]
    return Proxy(
        section.keyword.decode(),
        document.argument(section.head),
        Row(document, section.head),
        [mode, *modes][-1],
        rows,
        above,
        tuple(_server(document, line, line.server) for line in servers),
        _unread(document, section, servers),
    )


def _unread(document: Document, section: Section, servers: Sequence[ServerLine]) -> tuple[Row, ...]:
    read = {id(server.line) for server in servers}
    lines = (line for line in section.lines if line.keyword in SERVERS and id(line) not in read)
    return tuple(Row(document, line) for line in lines) if section.keyword in (b"backend", b"listen") else ()


def _server(document: Document, line: ServerLine, server: Server) -> ProxyServer:
    return ProxyServer(Row(document, line.line), line, server, effective(line.defaults.params, server.params))
