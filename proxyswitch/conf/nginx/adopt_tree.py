"""An nginx config as one tree, with its includes expanded, and the edits that an adoption collects on it.

A file that is included from two places has its directives twice in the tree and once on disk. So an edit is put down for
each place that it is reached from, and is good only if all of them want the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from proxyswitch.conf.nginx.chain import Config
from proxyswitch.conf.nginx.edits import FileEdit
from proxyswitch.conf.nginx.tree import Directive, Document
from proxyswitch.conf.text import Edit, Span
from proxyswitch.errors import UsageError
from proxyswitch.model import Where

Key = tuple[str, int]
Followed = dict[Key, tuple[str, ...]]  # the files that each include brings


class Change(NamedTuple):
    """Which bytes of which file change; `owner` is the offset of the directive that they belong to."""

    real: str
    span: Span
    owner: int
    shared: bool


class Refused(UsageError):
    """Exit 2: the config cannot be brought into instant mode, or out of it, without changing what it means."""


@dataclass(eq=False, slots=True)
class Node:
    """A directive as nginx reaches it; `body` has what its includes bring in their place."""

    document: Document
    directive: Directive
    parent: Node | None = None
    args: tuple[str, ...] = ()
    body: list[Node] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.directive.name.decode("utf-8", "surrogateescape")

    @property
    def key(self) -> Key:
        """The same for each place that it is reached from."""
        return self.document.real, self.directive.start

    @property
    def where(self) -> Where:
        return self.document.where(self.directive)

    @property
    def raw(self) -> bytes:
        """The bytes of the whole directive."""
        return self.document.data[self.directive.start : self.directive.end]

    @property
    def is_block(self) -> bool:
        return self.directive.body is not None

    def above(self) -> Iterator[Node]:
        """The blocks around it, the innermost first."""
        node = self.parent
        while node:
            yield node
            node = node.parent

    def children(self, *names: str) -> list[Node]:
        """What stands directly in its braces under one of these names."""
        return [node for node in self.body if node.name in names]

    def all(self) -> Iterator[Node]:
        """Itself and everything inside it, in order."""
        yield self
        for node in self.body:
            yield from node.all()


def expand(config: Config) -> list[Node]:
    """The top of the tree: the directives of the main file, or what its includes bring in their place."""
    followed = {(i.document.real, i.directive.start): i.reals for i in config.includes}
    return list(_nodes(config, followed, config.root, config.root.directives, None))


def _nodes(
    config: Config,
    followed: Followed,
    document: Document,
    directives: list[Directive],
    parent: Node | None,
) -> Iterator[Node]:
    for directive in directives:
        reals = followed.get((document.real, directive.start))
        if reals is None:
            node = Node(document, directive, parent, tuple(document.text(directive)))
            node.body = list(_nodes(config, followed, document, directive.body or [], node))
            yield node
        for real in reals or ():
            inner = config.documents[real]
            yield from _nodes(config, followed, inner, inner.directives, parent)


def everything(top: list[Node]) -> Iterator[Node]:
    """All nodes in the order in which nginx meets them."""
    for node in top:
        yield from node.all()


def in_stream(node: Node) -> bool:
    return any(block.name in ("stream", "mail") for block in node.above())


def is_server(node: Node) -> bool:
    """True for a virtual server of http, and not for a line of a pool."""
    return node.name == "server" and node.is_block and not in_stream(node)


def server_of(node: Node) -> Node | None:
    return next((block for block in node.above() if is_server(block)), None)


def location_of(node: Node) -> Node | None:
    return next((block for block in node.above() if block.name == "location"), None)


def levels(node: Node) -> list[Node]:
    """The blocks that a location takes its settings from: itself, locations around it, server, http."""
    return [block for block in (node, *node.above()) if block.name in ("location", "http") or is_server(block)]


def effective(node: Node, name: str) -> list[Node]:
    """The directives of that name in effect: those of the innermost level that has any, for it hides the others."""
    return next((found for block in levels(node) if (found := block.children(name))), [])


class Draft:
    """The edits so far. Each is put down under the node that it changes; `shared` ones serve other pools as well."""

    def __init__(self) -> None:
        self.edits: dict[Change, Edit] = {}
        self.documents: dict[str, Document] = {}
        self.owners: dict[Change, list[Node]] = {}

    def put(self, node: Node, span: Span, text: bytes, *, shared: bool = False) -> None:
        """One edit. Raises Refused when the same bytes became something else as they are reached from another place."""
        key = Change(node.document.real, span, node.directive.start, shared)
        edit = Edit(span, text)
        if self.edits.setdefault(key, edit) != edit:
            raise _differs(self.owners[key][0], node)
        self.documents[node.document.real] = node.document
        self.owners.setdefault(key, []).append(node)

    def replace(self, node: Node, text: bytes) -> None:
        """The whole directive becomes `text`."""
        if text != node.raw:
            self.put(node, Span(node.directive.start, node.directive.end), text)

    def settle(self, top: list[Node]) -> None:
        """Raise Refused when a place that a changed directive is reached from did not ask for the change."""
        reached: dict[Key, list[Node]] = {}
        for node in everything(top):
            reached.setdefault(node.key, []).append(node)
        for owners in self.owners.values():
            asked = set(map(id, owners))
            other = next((node for node in reached[owners[0].key] if id(node) not in asked), None)
            if other:
                raise _differs(owners[0], other)

    def files(self, *, shared: bool = True) -> tuple[FileEdit, ...]:
        """The edits by file, each file's in order; those that are shared first where two stand at one place."""
        out = []
        for name, document in self.documents.items():
            mine = [(key, edit) for key, edit in self.edits.items() if key.real == name and (shared or not key.shared)]
            mine.sort(key=lambda item: (item[0].span, not item[0].shared, item[0].owner))
            if mine:
                out.append(FileEdit(document, tuple(edit for _, edit in mine)))
        return tuple(out)


def _differs(one: Node, other: Node) -> Refused:
    return Refused(
        f'{one.where}: "{one.name}" is reached from {_place(one)} and from {_place(other)}, and would have to be changed for'
        " the one as it must not be for the other",
        next_step="give each of the two a copy of its own",
    )


def _place(node: Node) -> str:
    block = next((b for b in node.above() if b.document is not node.document), None) or server_of(node) or node
    return f"the {block.name} at {block.where}"
