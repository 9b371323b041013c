"""In which blocks a snippet stands: the ones in which most of its directives are allowed."""

from __future__ import annotations

from collections.abc import Iterator

from proxyswitch.conf.nginx.tree import Directive, Document
from proxyswitch.lint.nginx import directives

Path = tuple[bytes, ...]
# Where two fit equally, the first is meant.
PATHS: tuple[Path, ...] = (
    (b"http",),
    (b"http", b"server"),
    (b"http", b"server", b"location"),
    (b"http", b"upstream"),
    (b"stream",),
    (b"stream", b"server"),
    (b"stream", b"upstream"),
    (),
    (b"events",),
    (b"mail",),
    (b"mail", b"server"),
)
FREE: Path = (b"http", b"map")


def guess(document: Document) -> Path:
    """The blocks around a snippet. One without any directive that we know is taken for the inside of a `map`."""
    seen = {(directive.name, path) for directive, path in _two_levels(document.directives, ())}
    known = {(name, path) for name, path in seen if directives.known(name)}
    if not known:
        return FREE if seen else PATHS[0]
    return max(PATHS, key=lambda around: sum(directives.allowed(name, around + path) for name, path in known))


def _two_levels(body: list[Directive], path: Path, depth: int = 2) -> Iterator[tuple[Directive, Path]]:
    for directive in body:
        yield directive, path
        if directive.body is not None and depth > 1:
            yield from _two_levels(directive.body, (*path, directive.name), depth - 1)
