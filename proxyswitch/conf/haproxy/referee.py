"""A second reader of each edit, not written by us: pyhaproxy.

Our own parser reads and edits. A fault in it could pass its own check; so another one reads the pool's section before and
after the edit, and where it can read it at all, it must see exactly the intended change and nothing else. It gets the
section alone: outside of it no byte differs, and it stumbles over much that may stand elsewhere in a config.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from proxyswitch.conf.haproxy.lexer import quoted
from proxyswitch.conf.haproxy.pools import Backend
from proxyswitch.conf.haproxy.servers import Defaults, keywords, server_of
from proxyswitch.conf.haproxy.verify import UnintendedEdit
from proxyswitch.model import PoolChange, Server

Row = tuple[str, str]
Split = tuple[list[Row], Counter[Server]]


def check(before: Backend, after: Backend, change: PoolChange) -> bool:
    """Compare pyhaproxy's reading of the section with the intended change.

    Returns False when it cannot judge: it does not read the section, or does not see the servers as we do.
    Raises UnintendedEdit when it sees another change than the intended one.
    """
    defaults = {row.server.name: row.defaults for row in (*before.lines, *after.lines)}
    first = _split(before, defaults)
    if first is None or first[1] != Counter(row.server for row in before.lines) or not _readable(change):
        return False
    if _split(after, defaults) != (first[0], change.result(first[1].elements())):
        raise UnintendedEdit(
            f"{before.document.path}: the second reader, pyhaproxy, does not see the intended change of {before.name}"
        )
    return True


def _readable(change: PoolChange) -> bool:
    """It takes the address of a unix socket apart wrongly, and knows no quotes."""
    after = [c.after for c in change.servers if c.after]
    words = [word for server in after for word in (server.name, server.address, *server.params)]
    plain = all(quoted(word) == word.encode("utf-8", "surrogateescape") for word in words)
    return plain and not any(set(server.address) & set("@/") for server in after)


def _split(backend: Backend, defaults: dict[str, Defaults]) -> Split | None:
    """Its rows without the servers, and the servers; None where it cannot read the section."""
    block = _read(_text(backend))
    if block is None:
        return None
    rest: list[Row] = []
    servers: Counter[Server] = Counter()
    for item in block:
        words = _server(item)
        if words:
            servers[_as_server(words, defaults)] += 1
        else:
            rest.append(_row(item))
    return rest, servers


def rows(backend: Backend) -> list[Row] | None:
    """What pyhaproxy reads in the section, in its own form and order; None where it cannot read it."""
    block = _read(_text(backend))
    return None if block is None else [_row(item) for item in block]


def _row(item: Any) -> Row:
    return type(item).__name__, str(vars(item))


def _text(backend: Backend) -> bytes:
    """The section, with the line ends that it can read."""
    data, lines = backend.document.data, (backend.section.head, *backend.section.lines)
    return b"".join(data[line.start : line.end].rstrip() + b"\n" for line in lines)


def _server(item: Any) -> list[str]:
    """The words of a server line behind `server`; one that it takes for something else keeps its text."""
    if type(item).__name__ == "Server":
        port = f":{item.port}" if item.port else ""
        return [item.name, f"{item.host}{port}", *" ".join(item.attributes).split()]
    if type(item).__name__ == "Config" and item.keyword == "server":
        return str(item.value).partition("#")[0].split()
    return []


def _as_server(words: list[str], defaults: dict[str, Defaults]) -> Server:
    name, address, *rest = [*words, ""][: max(2, len(words))]
    return server_of(name, address, keywords(rest), defaults.get(name, Defaults()))


def _read(data: bytes) -> list[Any] | None:
    from pyhaproxy.parse import Parser

    try:
        found = Parser(filestring=data.decode("utf-8", "surrogateescape")).build_configuration()
        return [item for section in (*found.backends, *found.listens) for item in section.config_block]
    except Exception:  # noqa: BLE001  # whatever it stumbles over, it cannot judge this section
        return None
