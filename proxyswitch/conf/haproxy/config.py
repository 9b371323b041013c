"""A whole HAProxy config: the files and folders given with `-f`, in their order, as one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxyswitch.conf.haproxy.condition import Facts
from proxyswitch.conf.haproxy.document import Document, Line, Section, parse
from proxyswitch.errors import UsageError

Reader = Callable[[str], bytes]


@dataclass(slots=True)
class Config:
    """The files as HAProxy reads them; a file that is named twice is there twice, as one document."""

    files: tuple[str, ...]
    facts: Facts = field(default_factory=Facts)
    documents: list[Document] = field(default_factory=list)
    cache: dict[str, Any] = field(default_factory=dict)  # what pools.backends found, so that it looks once

    def sections(self, *keywords: bytes) -> Iterator[tuple[Document, Section]]:
        """The sections of these kinds, in order; all without a kind."""
        for document in self.documents:
            for section in document.sections:
                if not keywords or section.keyword in keywords:
                    yield document, section

    def lines(self, keyword: bytes, *kinds: bytes) -> Iterator[tuple[Document, Line]]:
        """The lines with that keyword in sections of these kinds."""
        for document, section in self.sections(*kinds):
            for line in section.lines:
                if line.keyword == keyword:
                    yield document, line


def expand(names: Sequence[str]) -> list[str]:
    """The files behind `-f` names, in the order in which HAProxy loads them: of a folder its `*.cfg` that are no dotfiles,
    sorted byte by byte (`cfgfiles_expand_directories`, src/haproxy.c). Raises UsageError."""
    files: list[str] = []
    for name in names:
        files += _of_folder(name) if os.path.isdir(name) else [name]
    if not files:
        raise UsageError(f"{', '.join(names) or 'no config'}: there is no config file", next_step="name one that is there")
    return files


def _of_folder(folder: str) -> list[str]:
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".cfg") and not name.startswith(".")]
    except OSError as error:
        raise UsageError(
            f"{folder}: cannot read this folder: {error.strerror}", next_step="run it as a user who may"
        ) from error
    paths = [os.path.join(folder, name) for name in sorted(names, key=os.fsencode)]
    return [path for path in paths if os.path.isfile(path)]


def read_file(path: str) -> bytes:
    """The bytes of a config file. Raises OSError."""
    with open(path, "rb") as file:
        return file.read()


def load(
    files: Sequence[str], facts: Facts | None = None, read: Reader = read_file, replaced: Mapping[str, bytes] | None = None
) -> Config:
    """Read and parse the files in their order. `replaced` (real path to bytes) stands for files after an edit.

    Raises ConfigError for what cannot be parsed, UsageError for what cannot be read.
    """
    config = Config(tuple(files), facts or Facts())
    facts = config.facts
    for path in files:
        real = os.path.realpath(path)
        data = replaced[real] if replaced and real in replaced else _bytes(path, read)
        document = parse(data, path, facts)
        document.real = real
        config.documents.append(document)
        facts = document.facts
    return config


def _bytes(path: str, read: Reader) -> bytes:
    try:
        return read(path)
    except PermissionError:
        raise UsageError(f"{path}: permission denied", next_step="run it as a user who may read it") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
