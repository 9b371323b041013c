"""A config of nginx as one tree: what an include brings stands where the include does.

A rule asks it: which directives of a name there are (`uses`), in which block one stands, what is in effect there. What is
not known says so: a block is `hidden` where an include could not be followed, or that is only around a snippet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, KeysView
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from proxyswitch.conf.nginx import pools
from proxyswitch.conf.nginx.tree import Directive, Document
from proxyswitch.conf.text import Edit
from proxyswitch.errors import ConfigError
from proxyswitch.lint.finding import Found
from proxyswitch.model import Server

T = TypeVar("T")


class Item(NamedTuple):
    """A directive where it is in effect: the file it stands in, and the block around it."""

    document: Document
    directive: Directive
    block: Block

    @property
    def name(self) -> bytes:
        return self.directive.name

    @property
    def args(self) -> list[str]:
        """The values of its arguments."""
        return self.document.text(self.directive)

    def word(self, number: int) -> int:
        """The offset of a word, the name being number 0."""
        return self.directive.words[number][0]

    def found(self, message: str, *fixes: Edit, word: int = 0) -> Found:
        """This directive breaks a rule, at that word of it."""
        return Found(self.document, self.word(word), message, fixes)


class Block:
    """A block with its directives in order. `item` is the directive that opens it; None for the file itself, `main`."""

    __slots__ = ("_by_name", "above", "blocks", "depth", "hidden", "item", "items", "name")

    def __init__(self, name: bytes, above: Block | None = None, item: Item | None = None, *, hidden: bool = False) -> None:
        self.name, self.above, self.item, self.hidden = name, above, item, hidden
        self.depth: int = above.depth + 1 if above else 0
        self.items: list[Item] = []
        self.blocks: list[Block] = []
        self._by_name: dict[bytes, list[Item]] | None = None

    @property
    def args(self) -> list[str]:
        """What stands between the name and the brace."""
        return self.item.args if self.item else []

    def path(self) -> tuple[bytes, ...]:
        """The names of the blocks around its directives, this one last; `main` is not among them."""
        return (*self.above.path(), self.name) if self.above else ()

    def around(self) -> Iterator[Block]:
        """This block and those around it, the innermost first."""
        block: Block | None = self
        while block:
            yield block
            block = block.above

    def inside(self, *names: bytes) -> Block | None:
        """The innermost block of one of these names that it is, or is in."""
        return next((block for block in self.around() if block.name in names), None)

    def own(self, *names: bytes) -> list[Item]:
        """The directives of these names that stand in this block itself."""
        if self._by_name is None:
            self._by_name = {}
            for item in self.items:
                self._by_name.setdefault(item.name, []).append(item)
        return [item for name in names for item in self._by_name.get(name, ())]

    def effective(self, name: bytes) -> list[Item]:
        """The directives of that name that are in effect in this block: those of the innermost level that has any, as nginx
        inherits both single values and lists such as `proxy_set_header`."""
        return next((found for block in self.around() if (found := block.own(name))), [])

    def sure(self, *names: bytes) -> bool:
        """Whether what `effective` says is so: no level is hidden below the first that has one of them."""
        for block in self.around():
            if block.own(*names):
                return True
            if block.hidden:
                return False
        return True


class PoolServer(NamedTuple):
    """A server line of an upstream."""

    item: Item
    server: Server


class Upstream(NamedTuple):
    """An upstream block. `context` is http or stream."""

    name: str
    context: str
    item: Item
    block: Block
    servers: tuple[PoolServer, ...]


class Include(NamedTuple):
    """An include directive, with the names that it stands for; None where it was not followed.

    `beside` are the names in its folder, asked only where it stands for none.
    """

    item: Item
    names: tuple[str, ...] | None
    beside: tuple[str, ...] = ()


@dataclass
class Config:
    """What is judged at once: a main file with its includes (`whole`), or one snippet.

    A snippet may say itself in which blocks it stands (`told`). `broken` are faults of syntax, of included files too;
    `missing` are includes of a file that is not there.
    """

    path: str
    root: Block = field(default_factory=lambda: Block(b"main"))
    whole: bool = True
    told: bool = False
    documents: dict[str, Document] = field(default_factory=dict)  # by path
    includes: list[Include] = field(default_factory=list)
    broken: list[tuple[Document, ConfigError]] = field(default_factory=list)
    missing: list[Item] = field(default_factory=list)
    _blocks: list[Block] = field(default_factory=list)
    _known: dict[Any, Any] = field(default_factory=dict)

    def once(self, look: Callable[[Config], T]) -> T:
        """What a function says of this config, which is asked only once."""
        if look not in self._known:
            self._known[look] = look(self)
        found: T = self._known[look]
        return found

    def all_blocks(self) -> list[Block]:
        """Every block, `main` first, each before those inside it."""
        if not self._blocks:
            self._blocks = [self.root]
            for block in self._blocks:  # it grows meanwhile
                self._blocks += block.blocks
        return self._blocks

    def blocks(self, *names: bytes) -> list[Block]:
        """The blocks of these names."""
        return [block for block in self.all_blocks() if block.name in names]

    def uses(self, *names: bytes) -> list[Item]:
        """All directives of these names, wherever they stand; blocks too."""
        by_name = self.once(_by_name)
        return [item for name in names for item in by_name.get(name, ())]

    def names(self) -> KeysView[bytes]:
        """The names of all directives that there are."""
        return self.once(_by_name).keys()

    def everything(self) -> Iterator[Item]:
        """Every directive there is."""
        return (item for block in self.all_blocks() for item in block.items)

    @property
    def upstreams(self) -> list[Upstream]:
        """All upstream blocks, in order."""
        return self.once(_upstreams)

    def upstream(self, name: str, context: str = "http") -> Upstream | None:
        """The first of that name. Names do not count case (`ngx_http_upstream_add` compares with `ngx_strncasecmp`)."""
        return self.once(_by_context).get((context, name.lower()))

    def complete(self, *names: bytes) -> bool:
        """Whether all is known that stands directly in blocks of these names: nothing can hide there."""
        return self.whole and self.once(_hidden).isdisjoint(names)


def _by_name(config: Config) -> dict[bytes, list[Item]]:
    found: dict[bytes, list[Item]] = {}
    for item in config.everything():
        found.setdefault(item.name, []).append(item)
    return found


def _hidden(config: Config) -> set[bytes]:
    return {block.name for block in config.all_blocks() if block.hidden}


def _by_context(config: Config) -> dict[tuple[str, str], Upstream]:
    return {(u.context, u.name.lower()): u for u in reversed(config.upstreams)}


def _upstreams(config: Config) -> list[Upstream]:
    return [_upstream(block.item, block) for block in config.blocks(b"upstream") if block.item]


def _upstream(item: Item, block: Block) -> Upstream:
    lines = (i for i in block.own(b"server") if len(i.directive.words) > 1)
    servers = tuple(PoolServer(i, pools.server_line(i.document, i.directive).server) for i in lines)
    return Upstream(next(iter(item.args), ""), context_of(block), item, block, servers)


def context_of(block: Block) -> str:
    """`http`, `stream` or `mail`, or `tcp` of an old module; what is in none of them is taken for http."""
    found = block.inside(b"http", b"stream", b"mail", b"tcp")
    return found.name.decode() if found else "http"
