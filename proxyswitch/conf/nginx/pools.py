"""The pools of an nginx config: upstream blocks with their server lines, wherever an include puts them."""

from __future__ import annotations

import re
from typing import NamedTuple

from proxyswitch.conf.nginx.chain import Config, Visit
from proxyswitch.conf.nginx.tree import Directive, Document
from proxyswitch.model import Pool, Server, Where

BALANCERS = frozenset({b"ip_hash", b"hash", b"random", b"least_conn", b"least_time"})
CONTEXTS = (b"http", b"stream")
_WEIGHT = re.compile(r"weight=(\d+)\Z", re.ASCII)


class ServerLine(NamedTuple):
    """A server directive: what it says, and where it stands."""

    document: Document
    directive: Directive
    server: Server


class Upstream(NamedTuple):
    """An upstream block with its server lines, which may stand in other files."""

    name: str
    context: str
    document: Document
    directive: Directive
    lines: tuple[ServerLine, ...]
    balancer: str = ""

    @property
    def place(self) -> Document:
        """The file that a new server line goes into: that of the last one."""
        return self.lines[-1].document if self.lines else self.document

    @property
    def where(self) -> Where:
        return self.document.where(self.directive)

    def pool(self) -> Pool:
        servers = tuple(line.server for line in self.lines)
        return Pool(self.name, "nginx", self.context, servers, self.where, self.balancer)


def upstreams(config: Config, name: str = "") -> list[Upstream]:
    """All pools, or those of one name, in the order in which nginx meets them.

    One that is included twice into a context appears once.
    """
    if name not in config.pools:
        config.pools[name] = _upstreams(config, name)
    return list(config.pools[name])


def _upstreams(config: Config, name: str) -> list[Upstream]:
    found: dict[tuple[str, int, str], Upstream] = {}
    inside = _visits_by_block(config)
    for visit, directive in config.upstreams():
        if name and visit.document.text(directive)[:1] != [name]:
            continue
        context = context_of(visit.context + directive.context)
        key = (visit.document.real, directive.start, context)
        if key not in found and directive.body is not None:
            found[key] = _upstream(visit, directive, context, inside)
    return list(found.values())


def context_of(blocks: tuple[bytes, ...]) -> str:
    """`http` or `stream`; a snippet that stands alone is taken for `http`."""
    return next((b.decode() for b in blocks if b in CONTEXTS), "http")


def _visits_by_block(config: Config) -> dict[tuple[str, int], list[Visit]]:
    inside: dict[tuple[str, int], list[Visit]] = {}
    for visit in config.visits:
        if visit.block:
            inside.setdefault(visit.block, []).append(visit)
    return inside


def _upstream(visit: Visit, directive: Directive, context: str, inside: dict[tuple[str, int], list[Visit]]) -> Upstream:
    document = visit.document
    own = [(document, d) for d in directive.body or ()]
    seen: set[str] = set()
    for other in inside.get((document.real, directive.start), ()):
        if other.document.real not in seen:  # reached again by a second include of the file around it
            seen.add(other.document.real)
            own += [(other.document, d) for d in other.document.directives]
    name = next(iter(document.text(directive)), "")
    lines = tuple(server_line(doc, d) for doc, d in own if d.name == b"server" and len(d.words) > 1)
    balancer = next((d.name.decode() for _, d in own if d.name in BALANCERS), "")
    return Upstream(name, context, document, directive, lines, balancer)


def server_line(document: Document, directive: Directive) -> ServerLine:
    """Read one server directive. Parameters we do not know are kept as they are."""
    address, *params = document.text(directive)
    weight, rest = 1, []
    for param in params:
        match = _WEIGHT.match(param)
        if match:
            weight = int(match[1])
        elif param not in ("down", "backup"):
            rest.append(param)
    server = Server(address, weight, "down" in params, "backup" in params, tuple(rest), where=document.where(directive))
    return ServerLine(document, directive, server)


def _place(upstream: Upstream) -> tuple[str, int, str]:
    return upstream.document.real, upstream.directive.start, upstream.context


def shared_with(config: Config, upstream: Upstream) -> Upstream | None:
    """Another pool that reads one of this pool's server lines, because both include the same file, or one file is both.

    One file with an upstream can be included into `http` and into `stream`: that makes two pools of the same lines.
    """
    files = {line.document.real for line in upstream.lines}
    if sum(visit.document.real in files for visit in config.visits) == len(files):
        return None  # each of its files is read once
    mine = {(line.document.real, line.directive.start) for line in upstream.lines}
    for other in upstreams(config):
        if _place(other) == _place(upstream):
            continue
        if any((line.document.real, line.directive.start) in mine for line in other.lines):
            return other
    return None
