"""A whole nginx config: the main file and what it includes, as nginx follows it.

Names are relative to the folder of the main file, the conf prefix (`ngx_conf_full_name` with its `conf_prefix`);
globs are sorted and pass over dotfiles as glob(3) does; a glob that matches nothing is no error, a missing plain name
is (`ngx_conf_include`, src/core/ngx_conf_file.c).
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from proxyswitch.conf.nginx.tree import Directive, Document, parse
from proxyswitch.conf.text import Edit, apply
from proxyswitch.errors import ConfigError, UsageError
from proxyswitch.model import Where

Reader = Callable[[str], bytes]


def read_file(path: str) -> bytes:
    """The bytes of a config file. Raises OSError."""
    with open(path, "rb") as file:  # pathlib costs start-up time on the path of `get`
        return file.read()


class Names(NamedTuple):
    """What the names in a config lead to: files of this machine, or those of a container.

    `real` gives the name under which a file can be edited, all links resolved; `shown` the one that a person knows.
    """

    read: Reader = read_file
    real: Callable[[str], str] = os.path.realpath
    glob: Callable[[str], Iterable[str]] = glob.glob
    shown: Callable[[str], str] = str


HERE = Names()


class Include(NamedTuple):
    """An include directive that was followed: where it stands, the names it stands for, and their real paths."""

    document: Document
    directive: Directive
    names: tuple[str, ...]
    reals: tuple[str, ...]


class Visit(NamedTuple):
    """A file as it is reached once: a file included from two places has two visits and one document.

    `context` is the blocks around it in the files above, `block` the innermost of them as (real path, offset).
    """

    document: Document
    context: tuple[bytes, ...]
    block: tuple[str, int] | None = None


@dataclass(slots=True)
class Config:
    """A main file with all that it includes; `documents` are keyed by real path."""

    main: str
    names: Names = HERE
    documents: dict[str, Document] = field(default_factory=dict)
    visits: list[Visit] = field(default_factory=list)
    includes: list[Include] = field(default_factory=list)
    pools: dict[str, Any] = field(default_factory=dict)  # what pools.upstreams found, so that it looks once

    @property
    def prefix(self) -> str:
        """The folder that relative names start from."""
        return os.path.dirname(self.main)

    @property
    def root(self) -> Document:
        return self.documents[self.names.real(self.main)]

    @property
    def shown(self) -> str:
        """The main file as a person knows it."""
        return self.names.shown(self.main)

    def upstreams(self) -> Iterator[tuple[Visit, Directive]]:
        """Every upstream block with the visit that reaches it: once for each way in which it is reached."""
        for visit in self.visits:
            for directive in visit.document.upstreams:
                yield visit, directive


def load(
    main: str,
    names: Names = HERE,
    known: Mapping[str, Document] | None = None,
    replaced: Mapping[str, bytes] | None = None,
) -> Config:
    """Read and parse the main file and everything it includes.

    `replaced` (real path to bytes) stands for files as they would be after an edit; what was parsed before and is not
    replaced is taken from `known`. Raises ConfigError for what cannot be parsed and for an include that leads back to
    itself, UsageError for what cannot be read.
    """
    # abspath, not realpath: the conf prefix is the folder of the name that nginx was given, link or not
    loader = _Loader(Config(os.path.abspath(main), names), known or {}, replaced or {})
    name = loader.config.main
    loader.visit(name, names.real(name), Visit(Document(b"", ""), ()), None)
    return loader.config


class _Loader:
    def __init__(self, config: Config, known: Mapping[str, Document], replaced: Mapping[str, bytes]) -> None:
        self.config = config
        self.names = config.names
        self.known = known
        self.replaced = replaced
        self.stack: list[str] = []

    def visit(self, name: str, real: str, above: Visit, source: Where | None) -> None:
        """Read one file, and what it includes; `above` holds the context and block that it lands in."""
        if real in self.stack:
            raise self.cycle(real, source)
        document = self.document(real, name, source)
        here = Visit(document, above.context, above.block)
        self.config.visits.append(here)
        self.stack.append(real)
        for directive in document.includes:
            self.follow(here, directive)
        self.stack.pop()

    def document(self, real: str, name: str, source: Where | None) -> Document:
        document = self.config.documents.get(real)
        if document is None:
            document = self.config.documents[real] = self.parsed(real, name, source)
        return document

    def parsed(self, real: str, name: str, source: Where | None) -> Document:
        if real in self.replaced:
            document = parse(self.replaced[real], self.names.shown(name))
        elif real in self.known:
            return self.known[real]
        else:
            document = parse(self.bytes_of(name, source), self.names.shown(name))
        document.real = real
        return document

    def bytes_of(self, name: str, source: Where | None) -> bytes:
        included = f" (included at {source})" if source else ""
        try:
            return self.names.read(name)
        except PermissionError:
            what = f"{self.names.shown(name)}: permission denied{included}"
            raise UsageError(what, next_step="run it as a user who may read it") from None
        except OSError as error:
            raise UsageError(f"{self.names.shown(name)}: {error.strerror}{included}") from None

    def follow(self, visit: Visit, directive: Directive) -> None:
        document = visit.document
        args = document.text(directive)
        if len(args) != 1 or directive.body is not None:
            return
        names = self.expand(args[0])
        reals = tuple(map(self.names.real, names))
        self.config.includes.append(Include(document, directive, names, reals))
        parent = directive.parent
        block = (document.real, parent.start) if parent else visit.block
        inner = Visit(document, visit.context + directive.context, block)
        for name, real in zip(names, reals, strict=True):
            self.visit(name, real, inner, document.where(directive))

    def expand(self, pattern: str) -> tuple[str, ...]:
        path = os.path.join(self.config.prefix, pattern)
        if not any(c in path for c in "*?["):  # of the whole name: nginx looks after it has put the prefix before it
            return (path,)
        return tuple(sorted(self.names.glob(path), key=os.fsencode))

    def cycle(self, real: str, source: Where | None) -> ConfigError:
        chain = [self.config.documents[p].path for p in self.stack[self.stack.index(real) :]]
        return ConfigError(
            f"an include leads back to its own file: {' includes '.join([*chain, chain[0]])}",
            path=source.path if source else real,
            line=source.line if source else 1,
            column=1,
        )


def candidates(config: Config, changed: dict[str, bytes], twin: Callable[[str], str]) -> dict[str, bytes]:
    """The files to write so that `changed` (real path to bytes) can be tested without touching a live file.

    Each changed file gets a twin, named by `twin(real path)`; so does each file on the way from the main file to it,
    with just those includes replaced that lead there, each on its own line, so that line numbers stay. Returns name to
    bytes.
    """
    reals = set(changed) | _above(config, set(changed)) | {config.root.real}
    names = {real: twin(real) for real in reals}
    return {
        name: _redirected(config, real, changed.get(real, config.documents[real].data), names)
        for real, name in names.items()
    }


def _above(config: Config, reals: set[str]) -> set[str]:
    """The files from which an include leads, over however many steps, to one of `reals`."""
    found: set[str] = set()
    while True:
        more = {i.document.real for i in config.includes if not (reals | found).isdisjoint(i.reals)}
        if more <= found:
            return found
        found |= more


def _redirected(config: Config, real: str, data: bytes, names: dict[str, str]) -> bytes:
    """The file with every include that leads to a twin replaced by includes of the same files, the twins for theirs."""
    if b"include" not in data:
        return data
    document = parse(data, real)
    followed = {tuple(i.document.args(i.directive)): i for i in config.includes}
    edits = []
    for directive in document.includes:
        include = followed.get(tuple(document.args(directive)))
        if include and not names.keys().isdisjoint(include.reals):
            pairs = zip(include.names, include.reals, strict=True)
            lines = [_include(names.get(r, n)) for n, r in pairs]
            span = document.span(directive)
            edits.append(Edit(span, b" ".join(lines) + b"\n" * data.count(b"\n", *span)))
    return apply(data, edits)


def _include(path: str) -> bytes:
    """An include directive for exactly that file: what glob(3) or the tokenizer would read otherwise is quoted."""
    quoted = glob.escape(path).replace("\\", "\\\\").replace('"', '\\"')
    return b'include "' + os.fsencode(quoted) + b'";'
