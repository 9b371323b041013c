"""A second reader of each edit, not written by us: crossplane for nginx.

Our own parser reads and edits. A fault in it could pass its own check; so another parser reads the file before and
after the edit, and where it can read it at all, it must see exactly the intended change and nothing else.

crossplane reads files by name, so the bytes are handed to it through an anonymous file in memory; nothing is written.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from proxyswitch.conf.nginx.pools import ServerLine, Upstream
from proxyswitch.conf.nginx.tree import Document
from proxyswitch.conf.nginx.verify import UnintendedEdit, rows
from proxyswitch.model import PoolChange, Server

LONE_CR = re.compile(rb"\r(?!\n)")

# depth, directive, arguments
Row = tuple[int, str, tuple[str, ...]]
Split = tuple[list[Row], Counter[frozenset[str]]]


def check(upstream: Upstream, real: str, after: bytes, change: PoolChange) -> bool:
    """Compare crossplane's reading of one changed file with the intended change.

    Returns False when crossplane cannot judge: it does not read the file, or does not see the pool as we do.
    Raises UnintendedEdit when it sees another change than the intended one.
    """
    mine = [line for line in upstream.lines if line.document.real == real]
    document = upstream.document if upstream.document.real == real else mine[0].document
    inside = document is upstream.document
    expected = Counter(map(_words, _expected(mine, change, adds=upstream.place is document).elements()))
    second = _split(after, upstream, inside)
    if second == (_our_rest(document, mine), expected):
        return True  # it reads the new text as we read the old one, but for the change: no need to hear it on the old
    first = _split(document.data, upstream, inside)
    if first is None or first[1] != Counter(_words(line.server) for line in mine):
        return False
    if second is None or second != (first[0], expected):
        raise _unseen(document, upstream)
    return True


def same(document: Document) -> bool | None:
    """True when crossplane reads the file as we do; None when it does not read it at all."""
    tree = _read(document.data)
    return None if tree is None else [row for row, _ in _rows(tree, 0, ())] == _our_rest(document, [])


def _unseen(document: Document, upstream: Upstream) -> UnintendedEdit:
    return UnintendedEdit(
        f"{document.path}: the second reader, crossplane, does not see the intended change of {upstream.name}"
    )


def _our_rest(document: Document, mine: list[ServerLine]) -> list[Row]:
    """Our own reading of the file without the pool's server lines, in crossplane's form."""
    skip = {line.directive.start for line in mine}
    out: list[Row] = []
    for directive, (depth, name, args) in rows(document):
        if directive.start not in skip:
            words = tuple(arg.decode("utf-8", "replace") for arg in args)
            out.append((depth, name.decode("utf-8", "replace"), _condition(words) if name == b"if" else words))
    return out


def _condition(words: tuple[str, ...]) -> tuple[str, ...]:
    """crossplane gives the words of an `if` without the parentheses around them."""
    if not words:
        return words
    first, last = words[0].removeprefix("("), words[-1].removesuffix(")")
    inner = (first, *words[1:-1], last) if len(words) > 1 else (first.removesuffix(")"),)
    return tuple(word for word in inner if word)


def _expected(mine: list[ServerLine], change: PoolChange, *, adds: bool) -> Counter[Server]:
    """The servers of this one file after the change; `adds` when new server lines go into this file."""
    here = Counter(line.server for line in mine)
    for server in change.servers:
        if adds if server.before is None else here[server.before] > 0:
            here.subtract([server.before] if server.before else [])
            here.update([server.after] if server.after else [])
    return +here


def _words(server: Server) -> frozenset[str]:
    weight = {f"weight={server.weight}"} if server.weight != 1 else set()
    flags = {flag for flag in ("down", "backup") if getattr(server, flag)}
    return frozenset({server.address, *server.params} | weight | flags)


def _split(data: bytes, upstream: Upstream, inside: bool) -> Split | None:
    """crossplane's rows without the pool's server lines, and those lines; None where it cannot read the file."""
    tree = _read(data)
    if tree is None:
        return None
    rest: list[Row] = []
    servers: Counter[frozenset[str]] = Counter()
    for row, blocks in _rows(tree, 0, ()):
        if row[1] == "server" and _is_ours(blocks, upstream, inside):
            servers[frozenset(w for w in row[2] if w != "weight=1")] += 1
        else:
            rest.append(row)
    return rest, servers


def _is_ours(blocks: tuple[tuple[str, ...], ...], upstream: Upstream, inside: bool) -> bool:
    if not inside:
        return blocks == ()
    outer = {b[0] for b in blocks} & {"http", "stream"}
    return blocks[-1:] == (("upstream", upstream.name),) and outer <= {upstream.context}


def _rows(tree: list[Any], depth: int, blocks: tuple[tuple[str, ...], ...]) -> Iterator[tuple[Row, tuple[Any, ...]]]:
    for node in tree:
        if node["directive"] == "#":  # it yields a comment that stands between arguments, asked for or not
            continue
        args = tuple(node["args"])
        yield (depth, node["directive"], args), blocks
        yield from _rows(node.get("block") or [], depth + 1, (*blocks, (node["directive"], *args)))


def _read(data: bytes) -> list[Any] | None:
    import crossplane

    if LONE_CR.search(data):  # it takes one for the end of a line, and so of a comment; to nginx it is a blank
        return None
    fd = os.memfd_create("proxyswitch")
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(data)
        payload = crossplane.parse(f"/proc/self/fd/{fd}", single=True, check_ctx=False, check_args=False)
    except Exception:  # noqa: BLE001  # whatever it stumbles over, it cannot judge this file
        return None
    finally:
        os.close(fd)
    config = payload["config"][0]
    return None if config["errors"] else config["parsed"]
