"""Bytes → a Config to judge: a main file with what it includes, or a snippet in the surroundings that fit it.

What is read does not depend on the machine: includes are followed inside the folder of the main file only. Where a name
leads elsewhere, or to nothing, its block counts as hidden.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from proxyswitch.conf.nginx.chain import HERE, Names
from proxyswitch.conf.nginx.tree import Directive, Document, parse
from proxyswitch.errors import ConfigError
from proxyswitch.lint.finding import Source
from proxyswitch.lint.nginx import surroundings
from proxyswitch.lint.nginx.tree import Block, Config, Include, Item

MAIN = (b"events", b"http", b"stream", b"mail")
DEEPEST = 100  # of blocks in blocks
# Files of nginx's own packages, which most repositories lack: nothing but types, or load_module.
_KNOWN = re.compile(r"(?:.*/)?(?:mime\.types|modules(?:-enabled)?/\*\.conf)")
_TOLD = re.compile(rb"#[ \t]*proxyswitch:[ \t]*context=([\w,]*)")


def load(source: Source, names: Names = HERE) -> Config:
    """Read a config as far as it can be read; what could not is in `broken`. A file that does not parse is empty."""
    config = Config(source.path)
    loader = _Loader(config, names)
    document = loader.parsed(source.path, source.data)
    told = _TOLD.search(source.data)
    config.told = bool(told)
    config.whole = not told and any(d.name in MAIN and d.body is not None for d in document.directives)
    inner = config.root
    if not config.whole:
        told_path = tuple(word for word in told[1].split(b",") if word and word != b"main") if told else None
        inner = _around(config, document, told_path)
    loader.fill(inner, document, document.directives, (os.path.realpath(source.path),))
    return config


def _around(config: Config, document: Document, told: tuple[bytes, ...] | None) -> Block:
    """The blocks around a snippet, as it says itself, or in which most of it is allowed; all of them are hidden."""
    block = config.root
    block.hidden = True
    for name in surroundings.guess(document) if told is None else told:
        inner = Block(name, block, hidden=True)
        block.blocks.append(inner)
        block = inner
    return block


class _Loader:
    def __init__(self, config: Config, names: Names) -> None:
        self.config, self.names = config, names
        self.prefix = os.path.dirname(os.path.abspath(config.path))

    def parsed(self, path: str, data: bytes) -> Document:
        try:
            document = parse(data, path)
        except ConfigError as error:
            document = Document(data, path)
            self.config.broken.append((document, error))
        self.config.documents[path] = document
        return document

    def fill(self, block: Block, document: Document, directives: Iterable[Directive], files: tuple[str, ...]) -> None:
        """Put directives into a block, and what they include; `files` are those that led here."""
        for directive in directives:
            item = Item(document, directive, block)
            block.items.append(item)
            if directive.body is not None and block.depth >= DEEPEST:
                self.broken(item, f"blocks stand more than {DEEPEST} deep in each other: nobody means that")
                block.hidden = True
            elif directive.body is not None:
                inner = Block(directive.name, block, item)
                block.blocks.append(inner)
                self.fill(inner, document, directive.body, files)
            elif directive.name == b"include" and len(directive.words) == 2:
                self.follow(item, files)

    def follow(self, item: Item, files: tuple[str, ...]) -> None:
        names = self.expand(item.args[0])
        self.config.includes.append(Include(item, names, self.beside(item) if names == () else ()))
        if names is None:
            item.block.hidden |= not _KNOWN.fullmatch(item.args[0])
        for name in names or ():
            self.include(item, name, files)

    def expand(self, pattern: str) -> tuple[str, ...] | None:
        """The names that an include stands for, as in conf.nginx.chain; None where that is not ours to know."""
        path = os.path.normpath(os.path.join(self.prefix, pattern))
        if not self.config.whole or not path.startswith(f"{self.prefix}/"):
            return None
        if not any(c in path for c in "*?["):
            return (path,)
        return tuple(sorted(self.names.glob(path), key=os.fsencode))

    def beside(self, item: Item) -> tuple[str, ...]:
        """The names in the folder that an include looks into."""
        folder = os.path.dirname(os.path.join(self.prefix, item.args[0]))
        return tuple(self.names.glob(f"{folder}/*"))

    def include(self, item: Item, name: str, files: tuple[str, ...]) -> None:
        real = self.names.real(name)
        if real in files:
            what = f"this include leads back to {self.shown(name)}"
            self.broken(item, what)
            return
        shown = self.shown(name)
        document = self.config.documents.get(shown)
        if document is None:
            try:
                document = self.parsed(shown, self.names.read(name))
            except OSError as error:
                item.block.hidden |= not _KNOWN.fullmatch(item.args[0])
                if isinstance(error, FileNotFoundError):
                    self.config.missing.append(item)
                return
        item.block.hidden |= any(broken is document for broken, _ in self.config.broken)
        self.fill(item.block, document, document.directives, (*files, real))

    def broken(self, item: Item, what: str) -> None:
        where = item.document.where(item.directive)
        self.config.broken.append((item.document, ConfigError(what, path=where.path, line=where.line, column=1)))

    def shown(self, name: str) -> str:
        """The name of a file in findings: as the main file was named, its folder before it."""
        folder = os.path.dirname(self.config.path)
        return os.path.join(folder, os.path.relpath(name, self.prefix))
