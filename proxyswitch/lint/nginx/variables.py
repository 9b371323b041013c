"""What the variables of a config can be: the values that `set`, `map`, `geo` and `split_clients` give them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proxyswitch.lint.nginx.tree import Block, Config, context_of

ANY = "\0"  # stands for a piece of text that only a request knows
MANY = 1_000  # so many texts are looked at; a variable that would make more of them can be anything
TABLES = (b"map", b"geo", b"split_clients")

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)
_CAPTURE = re.compile(rb"\(\?P?[<'](\w+)[>']")
_SETTERS = re.compile(rb"(?:set_|js_|perl)|.*_set\Z|keyval\Z")
_CODE = re.compile(rb".*_by_lua|js_|perl")
_NO_VALUE = (b"proxy", b"delete")  # lines of `geo` that give none

Scope = tuple[object, str]  # a server block, or the context of a table; and the name of a variable, whose case never counts


def has_code(config: Config) -> bool:
    """Whether there is Lua, njs or Perl, which can name an upstream, or set a variable, as it likes."""
    return any(_CODE.match(name) for name in config.names())


class Variables:
    """Asked with `config.once(Variables)`."""

    def __init__(self, config: Config) -> None:
        self.values: dict[Scope, list[str]] = {}
        self.open = set(_set_elsewhere(config))
        self.code = has_code(config)
        for item in config.uses(b"set"):
            if len(item.directive.words) == 3:
                self.add(_server(item.block), item.args[0], item.args[1])
        for block in config.blocks(*TABLES):
            for value in _rows(block):
                self.add(context_of(block), "".join(block.args[-1:]), value)
        self.known: dict[tuple[Scope, Scope], list[str]] = {}

    def add(self, where: object, variable: str, value: str) -> None:
        self.values.setdefault((where, variable[1:].lower()), []).append(value)

    def texts(self, text: str, block: Block) -> list[str]:
        """All that a text with variables can be in this block, with ANY for what is not known."""
        return self._texts(text, block, frozenset())

    def _texts(self, text: str, block: Block, seen: frozenset[str]) -> list[str]:
        found, at = [""], 0
        for match in _VARIABLE.finditer(text):
            values = self._of((match[1] or match[2]).lower(), block, seen)
            if len(found) * len(values) > MANY:
                values = [ANY]
            found = [before + text[at : match.start()] + value for before in found for value in values]
            at = match.end()
        return [before + text[at:] for before in found]

    def _of(self, name: str, block: Block, seen: frozenset[str]) -> list[str]:
        """What one variable can be; `seen` are those on the way to it, so that one that leads to itself ends."""
        own, shared = (_server(block), name), (context_of(block), name)
        given = [*self.values.get(own, ()), *self.values.get(shared, ())]
        if name in seen or name in self.open or not given:
            return [ANY]
        if (own, shared) not in self.known:
            texts = [text for value in given for text in self._texts(value, block, seen | {name})]
            self.known[own, shared] = list(dict.fromkeys([*texts, ANY] if self.code and own in self.values else texts))
        return self.known[own, shared]


def _server(block: Block) -> object:
    """Where a `set` counts: in the requests of its server block."""
    return block.inside(b"server")


def _rows(block: Block) -> Iterator[str]:
    """The values in a table; an empty one too where it has no default."""
    rows = [item for item in block.items if item.directive.words[1:] and item.name not in _NO_VALUE]
    yield from (item.args[-1] for item in rows)
    if not any(item.name in (b"default", b"*") for item in rows):
        yield ""
    if block.hidden:
        yield ANY


def _set_elsewhere(config: Config) -> Iterator[str]:
    """The variables that get a value in another way: from a regular expression, a subrequest, a module."""
    for document in config.documents.values():
        yield from (name.decode().lower() for name in _CAPTURE.findall(document.data))
    for name in config.names():
        if _SETTERS.match(name):
            yield from (arg[1:].lower() for item in config.uses(name) for arg in item.args if arg.startswith("$"))
